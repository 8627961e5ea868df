"""Where a worker finds its next request: on the connection, or sent ahead of it."""

from __future__ import annotations

import os
import socket

import pytest

from passtwist.errors import BadFrame
from passtwist.wire import session
from passtwist.wire.frames import encode_frame
from passtwist.worker.arrivals import Arrivals

PAIRS = [b"REQUEST_METHOD", b"GET"]


def request(number, body=b""):
    flags = 0 if body else session.LAST
    start = session.encode_request_start(number, PAIRS, flags)
    return start + (session.encode_body(body, last=True) if body else b"")


class Ends:
    """A connection's two ends, and the way beside it."""

    def __init__(self):
        self.ours, self.theirs = socket.socketpair()
        self.ahead, self.behind = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK
        )
        self.arrivals = Arrivals(self.theirs)

    def give(self, before=b""):
        """Hand the worker its end of the way, perhaps behind a request."""
        data = before + encode_frame(session.AHEAD)
        socket.send_fds(self.ours, [data], [self.behind.fileno()])

    def next(self):
        number, environ, body = self.arrivals.next()
        assert environ == {"REQUEST_METHOD": "GET"}
        with body:
            return number, body.read()

    def close(self):
        self.arrivals.close()
        for end in (self.ours, self.theirs, self.ahead, self.behind):
            end.close()


@pytest.fixture
def ends():
    made = Ends()
    yield made
    made.close()


@pytest.mark.parametrize("body", [b"", b"order"])
def test_a_request_that_lies_ready_is_the_next(ends, body):
    ends.give()
    ends.ahead.send(request(2, body))
    ends.ours.send(b"")
    assert ends.next() == (2, body)
    ends.ahead.send(request(3, body))
    assert ends.next() == (3, body)


@pytest.mark.parametrize("body", [b"", b"order"])
def test_the_way_comes_in_one_read_with_the_request_before(ends, body):
    """The system puts both together when the worker was not fast enough."""
    ends.give(request(1, body))
    assert ends.next() == (1, body)
    ends.ahead.send(request(2, body))
    assert ends.next() == (2, body)
    ends.ours.send(request(3, body))
    assert ends.next() == (3, body)


def test_what_has_come_on_the_connection_is_before_what_lies_ready(ends):
    ends.give()
    ends.ahead.send(request(2))
    ends.ours.send(request(1))
    assert [ends.next()[0], ends.next()[0]] == [1, 2]


class Late:
    """A poll() between whose two looks both ends have got something."""

    def __init__(self, real, happens):
        self._real = real
        self._happens = happens

    def poll(self):
        happens, self._happens = self._happens, None
        if happens is None:
            return self._real.poll()
        seen = happens()
        return [(number, 1) for number in seen]


def test_poll_has_looked_at_the_connection_too_early(ends):
    """It reports what was sent second, and the first has come all the same."""
    ends.give(request(1))
    assert ends.next()[0] == 1

    def both():
        ends.ours.send(request(2))
        ends.ahead.send(request(3))
        return [ends.arrivals._ahead_number]

    ends.arrivals._poll = Late(ends.arrivals._poll, both)
    assert [ends.next()[0], ends.next()[0]] == [2, 3]
    ends.arrivals._poll = ends.arrivals._poll._real


def test_nothing_is_begun_when_the_connection_has_ended(ends):
    """The worker leaves; what lies ready is for somebody else."""
    ends.give(request(1))
    assert ends.next()[0] == 1
    ends.ahead.send(request(2))
    ends.theirs.shutdown(socket.SHUT_RD)
    assert ends.arrivals.next() is None
    assert ends.behind.recv(10)


def test_a_request_that_was_taken_back_is_not_found(ends):
    ends.give(request(1))
    assert ends.next()[0] == 1
    ends.ahead.send(request(2))
    assert ends.behind.recv(1)
    ends.ours.send(request(3))
    assert ends.next()[0] == 3


def test_the_way_may_be_closed(ends):
    """The connection serves on."""
    ends.give(request(1))
    assert ends.next()[0] == 1
    ends.ahead.close()
    ends.ours.send(request(2))
    assert ends.next()[0] == 2
    ends.ours.close()
    assert ends.arrivals.next() is None


@pytest.mark.parametrize("cut", [1, 8, -1])
def test_half_a_request_is_none(ends, cut):
    ends.give()
    ends.ahead.send(request(2, b"order")[:cut])
    with pytest.raises(BadFrame):
        ends.arrivals.next()


@pytest.mark.parametrize("before", [b"", request(1)])
def test_a_way_without_a_descriptor_ends_the_connection(ends, before):
    """The worker had none left.  What came before is answered; what is sent that
    way would not be found."""
    ends.ours.send(before + encode_frame(session.AHEAD))
    if before:
        assert ends.next()[0] == 1
    assert ends.arrivals.next() is None


def test_an_app_may_close_what_is_not_its_own(ends):
    """The connection ends with an error that is expected, and nothing else."""
    ends.give(request(1))
    assert ends.next()[0] == 1
    os.close(ends.arrivals._ahead_number)
    with pytest.raises(OSError, match="Bad file descriptor"):
        ends.arrivals.next()
    ends.arrivals.close()
    ends.arrivals.close()


def test_a_second_way_takes_the_place_of_the_first(ends):
    """No descriptor is left open."""
    before = len(os.listdir("/proc/self/fd"))
    ends.give()
    ends.give(request(1))
    assert ends.next()[0] == 1
    assert len(os.listdir("/proc/self/fd")) == before + 1
    ends.arrivals.close()
    assert len(os.listdir("/proc/self/fd")) == before
