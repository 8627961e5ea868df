"""The epoll that clients, ports and workers' connections are watched by."""

from __future__ import annotations

import os
import socket
import struct
import threading

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from passtwist.service.lead import Lead
from passtwist.service.poller import Poller
from passtwist.testing.spawn_servers import come_about

from .noted import Noted, is_led

RESET = struct.pack("ii", 1, 0)


class Conversation(Protocol):
    """A server's side: notes, and answers each piece with its length."""

    def __init__(self):
        self.pieces = []
        self.ended = Deferred()

    def dataReceived(self, data):
        self.pieces.append(data)
        self.transport.write(b"%d\n" % len(data))

    def connectionLost(self, reason):
        self.ended.callback(reason.type.__name__)


@implementer(IHalfCloseableProtocol)
class HalfConversation(Conversation):
    def readConnectionLost(self):
        self.transport.write(b"to the end")
        self.transport.loseConnection()

    def writeConnectionLost(self):
        pass


@pytest.fixture(params=["leads", "inside"])
def poller(request, monkeypatch):
    """One that waits in the reactor's place, and one that the reactor watches."""
    if request.param == "inside":
        monkeypatch.setattr(Lead, "is_possible", lambda reactor: False)
    made = Poller(reactor)
    yield made
    assert made.fileno() == -1, f"still watches {made.getReaders()}"
    assert not is_led(reactor)


async def listening(poller, protocol, client):
    """A port of the poller's, the server's side of a connection, the client's."""
    factory = Factory.forProtocol(protocol)
    factory.noisy = False
    made = []
    factory.buildProtocol = lambda address: made.append(protocol()) or made[-1]
    port = await serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(factory)
    poller.adopt(port)
    client.setblocking(True)
    client.connect(("127.0.0.1", port.getHost().port))
    client.setblocking(False)
    await come_about(lambda: made, "it to be told")
    return port, made[0]


@pytest_twisted.ensureDeferred
async def test_reads_writes_and_is_gone_when_nothing_is_watched(poller, ends):
    ours, theirs = ends
    one = Noted(poller, ours)
    poller.addReader(one)
    poller.addWriter(one)
    assert poller.getReaders() == poller.getWriters() == [one]
    assert is_led(reactor) != (poller in reactor.getReaders())
    theirs.send(b"hello")
    await come_about(lambda: len(one.told) == 2, "it to be told")
    assert sorted(map(str, one.told)) == ["('read', b'hello')", "write"]
    one.unwatch()
    assert poller not in reactor.getReaders()
    assert poller.fileno() == -1


@pytest_twisted.ensureDeferred
async def test_who_is_not_watched_is_not_told(poller, ends):
    ours, theirs = ends
    one, other = Noted(poller, ours), Noted(poller, theirs)
    poller.addReader(one)
    poller.addReader(other)
    poller.removeReader(one)
    poller.removeReader(one)
    theirs.send(b"for one")
    ours.send(b"for the other")
    await come_about(lambda: other.told, "it to be told")
    assert (one.told, other.told) == ([], [("read", b"for the other")])
    poller.removeReader(other)


@pytest_twisted.ensureDeferred
async def test_one_that_was_closed_first_is_forgotten_with_its_number(poller, ends):
    ours, theirs = ends
    one = Noted(poller, ours)
    poller.addReader(one)
    ours.close()
    one._descriptor = -1
    with socket.socket() as again:
        assert again.fileno() >= 0
        poller.removeReader(one)
        assert poller.getReaders() == []
    assert theirs.recv(1) == b""


@pytest_twisted.ensureDeferred
async def test_a_number_may_be_somebody_elses_the_next_time(poller):
    first, its_peer = socket.socketpair()
    one = Noted(poller, first)
    poller.addReader(one)
    number = first.fileno()
    first.close()
    second, other_peer = socket.socketpair()
    with its_peer, second, other_peer:
        if second.fileno() != number:
            os.dup2(second.fileno(), number)
            second.close()
            second = socket.socket(fileno=number)
        other = Noted(poller, second)
        poller.addReader(other)
        other_peer.send(b"new")
        await come_about(lambda: other.told, "it to be told")
        assert other.told == [("read", b"new")]
        poller.removeReader(other)
        second.close()


@pytest.mark.parametrize(
    ("answer", "ended_with"),
    [
        (CONNECTION_DONE, "ConnectionDone"),
        (CONNECTION_LOST, "ConnectionLost"),
        (ZeroDivisionError("a mistake"), "ZeroDivisionError"),
        (SystemExit("a mistake"), "SystemExit"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_an_end_is_told_once_and_is_nobody_elses(
    poller, ends, logged_failures, answer, ended_with
):
    """A mistake of one connection is logged, and ends only that one."""
    ours, theirs = ends
    one, other = Noted(poller, ours, answer), Noted(poller, theirs)
    poller.addReader(one)
    poller.addWriter(one)
    poller.removeWriter(one)
    poller.addReader(other)
    theirs.send(b"x")
    await come_about(lambda: ended_with in one.told, "it to be told")
    ours.send(b"y")
    await come_about(lambda: other.told, "it to be told")
    assert one.told == [("read", b"x"), ended_with]
    logged = [each.getErrorMessage() for each in logged_failures.flush()]
    is_mistake = not ended_with.startswith("Connection")
    assert logged == ["a mistake"] * is_mistake
    assert poller.getReaders() == [other]
    poller.removeReader(other)


@pytest_twisted.ensureDeferred
async def test_one_whose_end_fails_too_does_not_end_all(poller, ends, logged_failures):
    ours, theirs = ends
    one, other = Noted(poller, ours, CONNECTION_LOST), Noted(poller, theirs)

    def fail(reason):
        raise ArithmeticError("also at the end")

    one.connectionLost = fail
    poller.addReader(one)
    poller.addReader(other)
    theirs.send(b"x")
    await come_about(lambda: not poller.getReaders()[1:], "its end")
    ours.send(b"y")
    await come_about(lambda: other.told, "it to be told")
    assert [each.getErrorMessage() for each in logged_failures.flush()] == [
        "also at the end"
    ]
    poller.removeReader(other)


@pytest_twisted.ensureDeferred
async def test_twisteds_ports_and_connections_can_live_here(poller):
    with socket.socket() as client:
        port, server = await listening(poller, Conversation, client)
        assert len(poller.getReaders()) == 2
        client.send(b"four")
        await come_about(lambda: server.pieces, "it to be told")
        # More than the kernel takes at once: the rest waits to be written.
        server.transport.write(b"x" * (8 << 20))
        assert poller.getWriters() == [server.transport]
        got = bytearray()

        def all_of_it():
            try:
                got.extend(client.recv(1 << 20))
            except BlockingIOError:
                pass
            return len(got) == 2 + (8 << 20)

        await come_about(all_of_it, "all to come")
        assert bytes(got[:2]) == b"4\n"
        client.close()
        assert await server.ended == "ConnectionDone"
        await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_a_reset_is_a_lost_connection(poller):
    with socket.socket() as client:
        port, server = await listening(poller, Conversation, client)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.close()
        assert await server.ended == "ConnectionLost"
        await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_half_a_close_is_told_to_those_who_know_of_it(poller):
    with socket.socket() as client:
        port, server = await listening(poller, HalfConversation, client)
        client.shutdown(socket.SHUT_WR)
        assert await server.ended == "ConnectionDone"
        assert client.recv(100) == b"to the end"
        await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_many_at_once_are_all_served(poller):
    pairs = [socket.socketpair() for _ in range(100)]
    told = []
    for ours, theirs in pairs:
        ours.setblocking(False)
        one = Noted(poller, ours)
        told.append(one)
        poller.addReader(one)
        theirs.send(b"x")
    await come_about(lambda: all(one.told for one in told), "it to be told")
    assert [one.told for one in told] == [[("read", b"x")]] * 100
    for one, pair in zip(told, pairs, strict=True):
        one.unwatch()
        for end in pair:
            end.close()


@pytest_twisted.ensureDeferred
async def test_when_the_reactor_stops_all_are_told(poller, ends, logged_failures):
    """Also behind one that fails."""
    ours, theirs = ends
    told = [Noted(poller, ours), Noted(poller, theirs)]
    for one in told:
        poller.addReader(one)
    told[0].connectionLost = None
    poller.connectionLost(Failure(CONNECTION_LOST))
    assert len(logged_failures.flush(TypeError)) == 1
    assert told[1].told == ["ConnectionLost"]


@pytest_twisted.ensureDeferred
async def test_what_is_no_port_of_twisteds_stays_where_it_is(poller):
    poller.adopt(object())
    assert poller.getReaders() == []


@pytest_twisted.ensureDeferred
async def test_what_is_the_reactors_is_not_kept_waiting(poller, ends):
    """Timers, other threads and its own descriptors, while ours have no end."""
    ours, theirs = ends
    endless, its_peer = Noted(poller, ours), theirs
    # Never read: there is something at each look.
    endless.doRead = lambda: endless.told.append("again")
    its_peer.send(b"x")
    poller.addReader(endless)
    mine, other = socket.socketpair()
    with mine, other:
        mine.setblocking(False)
        own = Noted(reactor, mine)
        reactor.addReader(own)
        done = []
        reactor.callLater(0, done.append, "timer")
        thread = threading.Thread(
            target=reactor.callFromThread, args=(done.append, "thread")
        )
        thread.start()
        other.send(b"y")
        await come_about(lambda: len(done) == 2 and own.told, "all three")
        thread.join()
        own.unwatch()
    assert own.told == [("read", b"y")]
    assert len(endless.told) > 1
    endless.unwatch()
