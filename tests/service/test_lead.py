"""The reactor's waiting done by the epoll that clients are watched by."""

from __future__ import annotations

import errno
import select
import subprocess
import sys
from types import SimpleNamespace

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.epollreactor import EPollReactor

from passtwist.service import poller as poller_module
from passtwist.service.lead import Lead
from passtwist.service.poller import Poller
from passtwist.testing.spawn_servers import come_about

from .noted import Noted, is_led


class Derived(EPollReactor):
    """Somebody's, who may wait in a way of his own."""


def test_a_reactor_of_somebody_else_is_not_led():
    """Its loop may call something else than what we replace."""
    derived = Derived.__new__(Derived)
    derived._poller = reactor._poller
    assert not Lead.is_possible(derived)
    assert Lead.is_possible(reactor)


@pytest_twisted.ensureDeferred
async def test_who_has_kept_our_waiting_waits_as_the_reactor_does(ends):
    """While nothing is watched, and when something is again."""
    ours, theirs = ends
    poller = Poller(reactor)
    one = Noted(poller, ours)
    own = Noted(reactor, theirs)
    poller.addReader(one)
    kept = reactor.doIteration
    turns = []

    def counted(seconds):
        turns.append(seconds)
        kept(seconds)

    reactor.doIteration = counted
    try:
        one.unwatch()
        assert reactor.doIteration is counted
        reactor.addReader(own)
        ours.send(b"x")
        await come_about(lambda: own.told, "it to be told")
        assert len(turns) < 100
        poller.addReader(one)
        assert poller in reactor.getReaders()
        ours.send(b"y")
        theirs.send(b"z")
        await come_about(lambda: one.told and own.told[1:], "both to be told")
        own.unwatch()
        one.unwatch()
    finally:
        del reactor.doIteration


@pytest_twisted.ensureDeferred
async def test_where_there_is_no_room_nothing_is_half_open(ends, monkeypatch):
    """The number of watched descriptors is limited for each user."""
    ours, theirs = ends
    poller = Poller(reactor)
    one = Noted(poller, ours)

    class Full:
        def __init__(self):
            self.epoll = select.epoll()
            self.close = self.epoll.close

        def register(self, number, mask):
            raise OSError(errno.ENOSPC, "no space")

    full = SimpleNamespace(epoll=Full)
    with monkeypatch.context() as patched:
        patched.setattr(poller_module, "select", full)
        with pytest.raises(OSError, match="no space"):
            poller.addReader(one)
    assert poller.fileno() == -1
    assert not is_led(reactor)
    other = Noted(poller, theirs)
    poller.addReader(other)
    ours.send(b"x")
    await come_about(lambda: other.told, "it to be told")
    other.unwatch()
    assert not is_led(reactor)


@pytest_twisted.ensureDeferred
async def test_a_second_one_is_watched_by_the_reactor_that_the_first_leads(ends):
    ours, theirs = ends
    first, second = Poller(reactor), Poller(reactor)
    one, other = Noted(first, ours), Noted(second, theirs)
    first.addReader(one)
    second.addReader(other)
    assert is_led(reactor)
    assert second in reactor.getReaders()
    theirs.send(b"for one")
    ours.send(b"for the other")
    await come_about(lambda: one.told and other.told, "both to be told")
    # The first goes first.
    one.unwatch()
    assert not is_led(reactor)
    ours.send(b"again")
    await come_about(lambda: len(other.told) == 2, "it to be told")
    other.unwatch()


@pytest_twisted.ensureDeferred
async def test_a_mistake_of_the_reactors_own_is_logged_and_not_ours(
    ends, logged_failures, monkeypatch
):
    """As in its own loop."""
    ours, theirs = ends
    poller = Poller(reactor)
    one = Noted(poller, ours)
    poller.addReader(one)
    do_poll = reactor.doPoll

    def fail_once(timeout):
        monkeypatch.setattr(reactor, "doPoll", do_poll)
        raise ArithmeticError("on purpose")

    monkeypatch.setattr(reactor, "doPoll", fail_once)
    reactor.wakeUp()
    theirs.send(b"x")
    await come_about(lambda: one.told, "it to be told")
    await come_about(lambda: reactor.doPoll is do_poll, "the mistake")
    assert len(logged_failures.flush(ArithmeticError)) == 1
    one.unwatch()


def run(script):
    """In a process with a reactor of its own; what it printed."""
    return subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )


STOPPING = """
import sys
from twisted.internet import {name}
{name}.install()
from twisted.internet import reactor, endpoints, protocol
from passtwist.service.poller import Poller

class Talk(protocol.Protocol):
    def dataReceived(self, data):
        print(data.decode(), flush=True)
        reactor.stop()
    def connectionLost(self, reason):
        print(reason.type.__name__, flush=True)

def listening(port):
    poller.adopt(port)
    print("doIteration" in vars(reactor), flush=True)
    client.connectTCP("127.0.0.1", port.getHost().port, factory)

class Say(protocol.Protocol):
    def connectionMade(self):
        self.transport.write(b"hello")

poller = Poller(reactor)
client, factory = reactor, protocol.ClientFactory.forProtocol(Say)
server = protocol.Factory.forProtocol(Talk)
endpoints.serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(
    server).addCallback(listening)
reactor.run()
"""


@pytest.mark.parametrize(
    ("name", "leads"),
    [
        ("epollreactor", True),
        ("pollreactor", False),
        ("selectreactor", False),
        ("asyncioreactor", False),
    ],
)
def test_a_reactor_that_stops_ends_what_is_watched_here(name, leads):
    """Whoever waits, and with every reactor that there is."""
    script = STOPPING.format(name=name)
    shown = run(script)
    assert shown.stdout.split() == [str(leads), "hello", "ConnectionLost"]
    assert "Unhandled" not in shown.stderr


ENDING = """
import socket, threading
from twisted.internet import epollreactor
epollreactor.install()
from twisted.internet import reactor, threads
from passtwist.api.selectable import Selectable
from passtwist.service.poller import Poller

class Watched(Selectable):
    told = 0
    def __init__(self):
        self.ends = socket.socketpair()
        super().__init__(poller, self.ends[0].fileno())
    def connectionLost(self, reason):
        Watched.told += 1
        {at_its_end}

poller, freed = Poller(reactor), threading.Event()
def work():
    print("freed" if freed.wait(20) else "not freed", flush=True)
reactor.getThreadPool()
poller.addReader(Watched())
{before}
reactor.callLater(0.1, reactor.stop)
reactor.run()
print(Watched.told)
"""


@pytest.mark.parametrize(
    ("before", "at_its_end", "shown"),
    [
        # As workers' links do, which replace a connection that is lost.
        ("", "Watched.told < 1000 and poller.addReader(Watched())", "1\n"),
        # The reactor waits for its threads, and they may wait for a client's end.
        ("threads.deferToThread(work)", "freed.set()", "freed\n1\n"),
    ],
)
def test_the_end_comes_when_the_reactors_own_descriptors_end(before, at_its_end, shown):
    """Once, and before its threads are waited for."""
    script = ENDING.format(before=before, at_its_end=at_its_end)
    ran = run(script)
    assert ran.stdout == shown
