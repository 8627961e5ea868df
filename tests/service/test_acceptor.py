"""Who is let in, and when nobody is: on real sockets."""

from __future__ import annotations

import errno
import os
import resource
import socket
from contextlib import ExitStack, contextmanager

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from passtwist.api.front_end import IDoor
from passtwist.service.listening.acceptor import let_in
from passtwist.testing.spawn_servers import come_about


class Guest(Protocol):
    """Greets; stays until the client leaves."""

    def connectionMade(self):
        self.factory.guests.append(self)
        self.transport.write(b"hello")

    def connectionLost(self, reason):
        self.factory.guests.remove(self)


@implementer(IDoor)
class NarrowDoor(Factory):
    """Has room for so many; of them so many are idle.

    :ivar asked: what was short when room was wanted.
    """

    protocol = Guest
    noisy = False

    def __init__(self, most):
        self.most = most
        self.idle = 0
        self.guests = []
        self.asked = []
        self.waiting = []

    def close(self):
        """Nothing is under way here."""

    def room(self):
        return max(self.most - len(self.guests), 0)

    def make_room(self, why):
        self.asked.append(why)
        going = self.guests[: self.idle]
        for guest in going:
            guest.transport.loseConnection()
        return len(going)

    def wait_for_room(self, come_in):
        self.waiting.append(come_in)


class House:
    """A port with a narrow door."""

    def __init__(self, most):
        self.door = NarrowDoor(most)
        self.clients = []
        self.port = None

    async def open(self, endpoint="tcp:0:interface=127.0.0.1"):
        self.port = await serverFromString(reactor, endpoint).listen(self.door)
        let_in(self.port, self.door)

    def knock(self, count=1):
        for _ in range(count):
            self.clients.append(socket.create_connection(self.address, 5))
            self.clients[-1].setblocking(False)

    @property
    def address(self):
        host = self.port.getHost()
        return host.host, host.port

    def greeted(self):
        """Which clients were let in."""
        found = []
        for client in self.clients:
            try:
                found.append(client.recv(5, socket.MSG_PEEK) == b"hello")
            except BlockingIOError:
                found.append(False)
        return found

    async def until_greeted(self, *expected):
        await come_about(lambda: self.greeted() == list(expected), f"{expected}")

    async def close(self):
        for client in self.clients:
            client.close()
        await come_about(lambda: not self.door.guests, "the end of all guests")
        await self.port.stopListening()


@contextmanager
def few_descriptors(spare):
    """A limit that leaves so many of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    with ExitStack() as holes:
        # The kernel gives the lowest ones first.
        while (filler := os.open(os.devnull, os.O_RDONLY)) <= highest:
            holes.callback(os.close, filler)
        os.close(filler)
        resource.setrlimit(resource.RLIMIT_NOFILE, (filler + spare, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest_twisted.ensureDeferred
async def test_for_whom_there_is_no_room_waits_and_is_let_in_later():
    """In the kernel's queue: it is connected, and hears nothing yet."""
    house = House(most=2)
    await house.open()
    house.knock(4)
    await house.until_greeted(True, True, False, False)
    await come_about(lambda: house.door.waiting, "the door to be asked to tell")
    assert len(house.door.waiting) == 1
    house.clients[0].close()
    await come_about(lambda: len(house.door.guests) == 1, "one to leave")
    del house.clients[0]
    house.door.waiting.pop()()
    await house.until_greeted(True, True, False)
    await house.close()


@pytest_twisted.ensureDeferred
async def test_more_come_than_are_let_in_at_a_time():
    """Each turn of the reactor takes some of them, in the end all."""
    house = House(most=1000)
    await house.open()
    house.knock(150)
    await house.until_greeted(*[True] * 150)
    await house.close()


@pytest_twisted.ensureDeferred
async def test_ipv6_clients_have_their_address():
    """As with Twisted's own loop."""
    house = House(most=10)
    await house.open("tcp6:0:interface=\\:\\:1")
    house.knock()
    await house.until_greeted(True)
    peer = house.door.guests[0].transport.getPeer()
    assert (peer.host, peer.port) == house.clients[0].getsockname()[:2]
    await house.close()


@pytest_twisted.ensureDeferred
async def test_without_descriptors_idle_clients_go_first():
    """Those who come are let in at their cost, and nobody is sent away."""
    house = House(most=1000)
    await house.open()
    house.knock(3)
    await house.until_greeted(True, True, True)
    house.door.idle = 1
    newcomers = [socket.socket() for _ in range(2)]
    with few_descriptors(0):
        for client in newcomers:
            client.connect(house.address)
            client.setblocking(False)
        house.clients += newcomers
        await come_about(lambda: house.greeted()[3:] == [True, True], "both let in")
    why = f"no descriptor for a client: {os.strerror(errno.EMFILE)}"
    assert why in house.door.asked
    await house.close()


@pytest_twisted.ensureDeferred
async def test_without_descriptors_and_idle_clients_the_others_wait():
    """Without trying all the time: a few looks in a second, and then one succeeds."""
    house = House(most=1000)
    await house.open()
    newcomer = socket.socket()
    with few_descriptors(0):
        newcomer.connect(house.address)
        newcomer.setblocking(False)
        house.clients.append(newcomer)
        await come_about(lambda: len(house.door.asked) == 2, "a second try")
        assert house.greeted() == [False]
    await house.until_greeted(True)
    assert len(house.door.asked) < 10
    await house.close()


@pytest_twisted.ensureDeferred
async def test_the_last_descriptors_are_not_for_clients():
    """They are for the requests of those who are in."""
    house = House(most=1000)
    await house.open()
    newcomer = socket.socket()
    with few_descriptors(1):
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        newcomer.connect(house.address)
        newcomer.setblocking(False)
        house.clients.append(newcomer)
        await house.until_greeted(True)
    assert house.door.asked[0] == f"of {limit} descriptors few are left"
    await house.close()


@pytest_twisted.ensureDeferred
async def test_a_factory_that_fails_costs_its_client_only(monkeypatch, logged_failures):
    """The others are let in."""
    house = House(most=1000)
    await house.open()
    build = house.door.buildProtocol
    broken = iter([True])
    monkeypatch.setattr(
        house.door,
        "buildProtocol",
        lambda address: 1 / 0 if next(broken, False) else build(address),
    )
    house.knock(2)
    await come_about(lambda: house.greeted()[1], "the second one let in")
    assert house.clients[0].recv(1) == b""
    assert len(logged_failures.flush(ZeroDivisionError)) == 1
    await house.close()


def test_what_is_no_port_of_twisted_is_left_alone():
    """It has a way of its own."""
    port = object()
    let_in(port, NarrowDoor(1))
    assert not hasattr(port, "doRead")
