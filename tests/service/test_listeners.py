"""Endpoints that are bound at once, that take their time, and that fail."""

from __future__ import annotations

import os
import socket

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from passtwist.errors import StartupError
from passtwist.service.listening.listeners import Listeners
from passtwist.testing.spawn_servers import come_about

ANY = "tcp:0:interface=127.0.0.1"


class Greeter(Protocol):
    def connectionMade(self):
        self.transport.write(b"hello")


class PlainDoor(Factory):
    """Notes whether it was closed."""

    protocol = Greeter
    noisy = False

    def __init__(self):
        self.is_closed = False

    def close(self):
        self.is_closed = True

    def room(self):
        return 1000


@implementer(IStreamServerEndpoint)
class LateEndpoint:
    """Listens when the test says so, as one that asks another server first."""

    def __init__(self, description):
        self._description = description
        self.asked = Deferred()

    def listen(self, factory):
        endpoint = serverFromString(reactor, self._description)
        return self.asked.addCallback(lambda _: endpoint.listen(factory))


class World:
    """Listeners, their doors and their late endpoints."""

    def __init__(self):
        self.doors = []
        self.late = []

    def open_door(self):
        self.doors.append(PlainDoor())
        return self.doors[-1]

    def parse(self, reactor, description):
        if not description.startswith("late:"):
            return serverFromString(reactor, description)
        self.late.append(LateEndpoint(description.removeprefix("late:")))
        return self.late[-1]

    def listeners(self, *listen):
        return Listeners(reactor, listen, self.open_door, self.parse)


@pytest.fixture
def world():
    return World()


def port_of(listeners, number=0):
    return int(listeners.addresses()[number].rstrip("/").rpartition(":")[2])


@pytest_twisted.ensureDeferred
async def test_all_are_closed_when_one_can_not_be_bound(world):
    """The error names it, and the cause is at hand for who knows a remedy."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
        listeners = world.listeners(ANY, taken)
        with pytest.raises(StartupError, match=f"can't listen on {taken}: ") as caught:
            listeners.bind()
    assert isinstance(caught.value.__cause__.socketError, OSError)
    assert not listeners.are_bound
    await come_about(lambda: all(door.is_closed for door in world.doors), "the end")


@pytest.mark.parametrize("text", ["nonsense", "tcp:x", "ssl:0:privateKey=/nowhere"])
def test_what_is_no_endpoint_is_refused(world, text):
    """Whatever its parser raises."""
    with pytest.raises(StartupError, match=f"can't listen on {text}: not an endpoint"):
        world.listeners(text).bind()
    assert world.doors == []


def test_all_that_can_not_be_listened_on_are_named_at_once(world):
    """So that one start, or one reload, is enough to find them."""
    with pytest.raises(StartupError) as caught:
        world.listeners("nonsense", "tcp:x", "ssl:0:privateKey=/nowhere").bind()
    first, *rest = str(caught.value).splitlines()
    assert first == "3 endpoints can't be had:"
    assert [line.partition(": ")[0] for line in rest] == [
        "  can't listen on nonsense",
        "  can't listen on tcp:x",
        "  can't listen on ssl:0:privateKey=/nowhere",
    ]
    assert world.doors == []


@pytest_twisted.ensureDeferred
async def test_an_endpoint_that_takes_its_time_is_waited_for(world):
    """It counts as bound, and has an address once it has one."""
    listeners = world.listeners(f"late:{ANY}")
    listeners.bind()
    assert (listeners.are_bound, listeners.addresses()) == (True, [])
    world.late[0].asked.callback(None)
    with socket.create_connection(("127.0.0.1", port_of(listeners)), 5):
        pass
    await listeners.close()
    assert world.doors[0].is_closed


@pytest_twisted.ensureDeferred
async def test_one_that_fails_late_is_closed(world):
    """Nobody is there to be told but the log; stopping does not mind."""
    listeners = world.listeners(f"late:{ANY}")
    listeners.bind()
    world.late[0].asked.errback(OSError("no network"))
    assert world.doors[0].is_closed
    await listeners.close()


@pytest_twisted.ensureDeferred
async def test_one_that_is_closed_before_it_listens_is_called_off(world):
    """Nothing of it is left."""
    listeners = world.listeners(f"late:{ANY}")
    listeners.bind()
    await listeners.close()
    assert world.late[0].asked.called
    assert world.doors[0].is_closed


@pytest_twisted.ensureDeferred
async def test_a_port_whose_file_was_removed_is_closed_all_the_same(world, tmp_path):
    """Twisted wants to remove it; nothing is left, and it can be bound again."""
    path = tmp_path / "s"
    listeners = world.listeners(f"unix:{path}", ANY)
    listeners.bind()
    path.unlink()
    await listeners.close()
    assert [door.is_closed for door in world.doors] == [True, True]
    assert os.listdir(tmp_path) == []
    listeners.bind()
    assert path.is_socket()
    await listeners.close()
