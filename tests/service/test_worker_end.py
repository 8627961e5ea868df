"""The worker's end of a tunnel: every byte, at the pace of the slower side."""

from __future__ import annotations

import contextlib
import os
import random
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zope.interface import implementer
from zope.interface.verify import verifyClass

from passtwist.api.interfaces import ITunnelEnd
from passtwist.service.sessions.worker_end import LEAVE_WITHIN, WorkerEnd
from passtwist.testing.reactor import HandReactor


@implementer(ITunnelEnd)
class Client:
    """Notes what it is told."""

    def __init__(self):
        self.received = b""
        self.told = []

    def send(self, data):
        self.received += data

    def end(self):
        self.told.append("end")

    def pause(self):
        self.told.append("pause")

    def resume(self):
        self.told.append("resume")

    def close(self):
        self.told.append("close")


verifyClass(ITunnelEnd, Client)
verifyClass(ITunnelEnd, WorkerEnd)


@pytest.fixture
def tunnel(reactor):
    """A tunnel's end, its client, the worker's socket, and how often it was over."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(5)
    over = []
    end = WorkerEnd(reactor, ours, lambda: over.append(1))
    client = Client()
    end.begin(client, b"")
    yield end, client, theirs, over
    end.drop()
    theirs.close()
    assert not reactor.readers
    assert not reactor.writers
    assert not reactor.getDelayedCalls()


def fill(end):
    """Send until the worker's socket takes no more; answers what was sent."""
    sent = b""
    piece = os.urandom(65536)
    while not end._is_holding:
        end.send(piece)
        sent += piece
    return sent


def drained(reactor, theirs, size):
    """Read so much at the worker's side."""
    received = b""
    while len(received) < size:
        reactor.settle()
        received += theirs.recv(65536)
    reactor.settle()
    return received


def test_bytes_go_both_ways_as_they_come(reactor, tunnel):
    """Nothing is added, nothing is left out."""
    end, client, theirs, over = tunnel
    end.send(b"\0\r\n\xff")
    theirs.sendall(b"\xfe\0\n")
    reactor.settle()
    assert (theirs.recv(100), client.received) == (b"\0\r\n\xff", b"\xfe\0\n")
    assert (client.told, over) == ([], [])


def test_what_the_worker_has_said_already_comes_first(reactor, tunnel):
    """It may have come with the 101."""
    end, client, theirs, _ = tunnel
    theirs.sendall(b"second")
    end.begin(client, b"first ")
    reactor.settle()
    assert client.received == b"first second"


def test_a_worker_that_does_not_read_holds_the_client(reactor, tunnel):
    """And everything arrives once it reads."""
    end, client, theirs, _ = tunnel
    sent = fill(end)
    assert client.told == ["pause"]
    end.send(b"more")
    assert client.told == ["pause"]
    assert drained(reactor, theirs, len(sent) + 4) == sent + b"more"
    assert client.told == ["pause", "resume"]


def test_a_client_that_does_not_read_holds_the_worker(reactor, tunnel):
    """Its bytes stay in the kernel until then."""
    end, client, theirs, _ = tunnel
    end.pause()
    theirs.sendall(b"wait")
    reactor.settle()
    assert client.received == b""
    end.resume()
    reactor.settle()
    assert client.received == b"wait"


def test_the_end_of_the_client_is_the_end_for_the_worker_behind_all_bytes(
    reactor, tunnel
):
    """The worker may go on talking, and its end is that of the tunnel."""
    end, client, theirs, over = tunnel
    sent = fill(end)
    end.end()
    end.send(b"ignored")
    assert drained(reactor, theirs, len(sent)) == sent
    assert theirs.recv(100) == b""
    theirs.sendall(b"goodbye")
    theirs.close()
    reactor.settle()
    assert client.received == b"goodbye"
    assert (client.told, over) == (["pause", "close"], [1])


def test_a_worker_that_sends_no_more_still_listens(reactor, tunnel):
    """As long as it has not closed the connection altogether."""
    end, client, theirs, over = tunnel
    theirs.shutdown(socket.SHUT_WR)
    reactor.settle()
    assert (client.told, over) == (["end"], [])
    end.send(b"still there")
    assert theirs.recv(100) == b"still there"
    end.end()
    assert (client.told, over) == (["end", "close"], [1])


def test_a_worker_that_is_gone_closes_the_client(reactor, tunnel):
    """Its last words go first."""
    _, client, theirs, over = tunnel
    theirs.sendall(b"last words")
    theirs.close()
    reactor.settle()
    assert client.received == b"last words"
    assert (client.told, over) == (["close"], [1])


def test_sending_to_a_worker_that_is_gone_closes_the_client(tunnel):
    """It is the first to know."""
    end, client, theirs, over = tunnel
    theirs.close()
    end.send(b"is anybody there?")
    assert (client.told, over) == (["close"], [1])


def test_a_worker_that_is_gone_before_it_began_closes_the_client(reactor):
    """The client's first bytes are sent before anything else."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.close()
    over, client = [], Client()
    end = WorkerEnd(reactor, ours, lambda: over.append(1))
    end.send(b"too early")
    end.begin(client, b"too late")
    assert (client.told, over) == (["close"], [1])
    assert not reactor.readers


def test_a_dead_worker_is_read_to_the_end(tunnel):
    """Whatever the client's pace is."""
    end, client, theirs, over = tunnel
    end.pause()
    theirs.sendall(b"last words")
    theirs.close()
    end.take_rest()
    assert client.received == b"last words"
    assert (client.told, over) == (["close"], [1])


def test_a_client_that_is_gone_closes_the_worker(tunnel):
    """The worker gets what was sent before."""
    end, client, theirs, over = tunnel
    end.send(b"bye")
    end.close()
    end.close()
    assert (theirs.recv(100), theirs.recv(100)) == (b"bye", b"")
    assert (client.told, over) == ([], [1])


def test_a_worker_that_is_to_leave_has_a_time_for_goodbyes(reactor, tunnel):
    """It sees the client's end, and then it is the end of both."""
    end, client, theirs, over = tunnel
    end.leave()
    end.leave()
    assert theirs.recv(100) == b""
    theirs.sendall(b"goodbye")
    reactor.settle()
    assert (client.received, client.told, over) == (b"goodbye", [], [])
    reactor.advance(LEAVE_WITHIN)
    assert (client.told, over) == (["close"], [1])


steps = st.lists(
    st.one_of(
        st.tuples(st.just("client sends"), st.integers(1, 100_000)),
        st.tuples(st.just("worker sends"), st.integers(1, 100_000)),
        st.tuples(st.just("worker reads"), st.integers(1, 300_000)),
        st.tuples(st.sampled_from(["client pauses", "client resumes"]), st.just(0)),
    ),
    max_size=30,
)


@given(steps, st.booleans())
@settings(max_examples=50, deadline=None)
def test_every_byte_arrives_in_its_place(walk, worker_ends_first):
    """Whoever is slow, and whoever ends first."""
    reactor = HandReactor()
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
    noise = random.Random(1)
    over, client, sent, said, got = [], Client(), b"", b"", bytearray()
    tunnel = WorkerEnd(reactor, ours, lambda: over.append(1))
    tunnel.begin(client, b"")

    def read(size):
        with contextlib.suppress(BlockingIOError):
            while size > 0 and (piece := theirs.recv(size)):
                got.extend(piece)
                size -= len(piece)

    for step, size in walk:
        data = noise.randbytes(size)
        # A client that is held does not send.
        if step == "client sends" and not is_held(client):
            tunnel.send(data)
            sent += data
        elif step == "worker sends":
            with contextlib.suppress(BlockingIOError):
                said += data[: theirs.send(data)]
        elif step == "worker reads":
            read(size)
        elif step == "client pauses":
            tunnel.pause()
        elif step == "client resumes":
            tunnel.resume()
        reactor.settle()
    tunnel.resume()
    if worker_ends_first:
        theirs.shutdown(socket.SHUT_WR)
        reactor.settle()
        assert client.told[-1] == "end"
    tunnel.end()
    while len(got) < len(sent):
        reactor.settle()
        read(1 << 20)
    if not worker_ends_first:
        theirs.close()
    reactor.settle()
    assert (bytes(got), client.received) == (sent, said)
    assert (client.told[-1], over, reactor.readers) == ("close", [1], [])
    theirs.close()


def is_held(client):
    """Whether it was told to pause, and not yet to resume."""
    told = [word for word in client.told if word in ("pause", "resume")]
    return told[-1:] == ["pause"]
