"""Requests that a worker gets before their bodies: `buffer_requests = false`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zope.interface import implementer
from zope.interface.verify import verifyClass

from passtwist.api.interfaces import IBodyStream, IBodyTaker
from passtwist.http.body import LengthDecoder
from passtwist.http.body_stream import BodyStream
from passtwist.http.config import Site

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
SIZED = HEAD + b"Content-Length: 10\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
STREAMED = Site("shop", buffer_requests=False, max_body=100)
OK = b"200 OK\r\n"


@implementer(IBodyTaker)
class Taker:
    """A worker's end: remembers, and has room for so many pieces."""

    def __init__(self, room=1000):
        self.got = b""
        self.ended = ""
        self.room = room

    def take(self, data):
        assert self.room > 0
        assert not self.ended
        assert data
        self.got += data
        self.room -= 1
        return self.room > 0

    def take_end(self):
        assert not self.ended
        self.ended = "end"

    def take_failure(self):
        assert not self.ended
        self.ended = "failure"


verifyClass(IBodyTaker, Taker)
verifyClass(IBodyStream, BodyStream)


@pytest.fixture
def streamed(bench):
    bench.configure(STREAMED)
    return bench


def begin(bench, data=SIZED, taker=None):
    """A client that has sent *data*, and the worker that reads its body."""
    client = bench.connect()
    client.send(data)
    taker = taker or Taker()
    bench.pool.last.request.body_stream.begin(taker)
    return client, taker


def status(data):
    return data.partition(b"\r\n")[0]


def test_a_worker_is_asked_before_the_body_is_there(streamed):
    """It gets what comes, then the end; the app knows the length."""
    client, taker = begin(streamed)
    assert streamed.pool.last.environ["CONTENT_LENGTH"] == "10"
    assert (streamed.pool.last.request.body_length, taker.got) == (0, b"")
    client.send(b"hello")
    assert (taker.got, taker.ended) == (b"hello", "")
    client.send(b"world")
    assert (taker.got, taker.ended) == (b"helloworld", "end")
    assert streamed.pool.last.request.body_length == 10
    streamed.pool.last.responder.answer(OK, b"thanks")
    assert client.take().endswith(b"thanks")
    assert (client.closed, client.connection.has_request) == (False, False)


def test_chunks_are_decoded_on_the_way(streamed):
    """Nobody knows the length; the next request is where the client expects it."""
    client, taker = begin(streamed, CHUNKED)
    assert "CONTENT_LENGTH" not in streamed.pool.last.environ
    client.send(b"5\r\nhello\r\n3\r\nwor")
    assert (taker.got, taker.ended) == (b"hellowor", "")
    client.send(b"\r\n0\r\n\r\n" + GET)
    assert (taker.got, taker.ended) == (b"hellowor", "end")
    streamed.pool.last.responder.answer(OK, b"thanks")
    assert client.take().endswith(b"thanks")
    assert streamed.pool.last.environ["REQUEST_METHOD"] == "GET"


@pytest.mark.parametrize(
    "data", [SIZED + b"helloworld", CHUNKED + b"a\r\nhelloworld\r\n0\r\n\r\n"]
)
def test_a_body_that_comes_with_its_head_is_an_ordinary_one(streamed, data):
    """There is nothing to wait for."""
    client = streamed.connect()
    client.send(data)
    request = streamed.pool.last.request
    assert (request.body, request.body_stream) == (b"helloworld", None)
    assert streamed.pool.last.environ["CONTENT_LENGTH"] == "10"


def test_the_response_may_begin_before_the_body_has_ended(streamed):
    """Both go on at once; after that the connection ends, as was said."""
    client, taker = begin(streamed)
    responder = streamed.pool.last.responder
    responder.begin(OK)
    responder.write(b"one")
    assert client.take().endswith(b"3\r\none\r\n")
    client.send(b"hello")
    assert taker.got == b"hello"
    responder.write(b"two")
    assert client.take() == b"3\r\ntwo\r\n"
    client.send(b"world")
    assert taker.ended == "end"
    responder.finish()
    assert client.take() == b"0\r\n\r\n"
    assert client.closed


def test_an_app_that_does_not_read_holds_its_client_back(streamed):
    """A little is kept for it; then it gets all, in order."""
    streamed.configure(STREAMED, body_memory=4)
    client = streamed.connect()
    client.send(SIZED)
    client.send(b"hel")
    assert client.transport.producerState == "producing"
    client.send(b"lo")
    assert client.transport.producerState == "paused"
    taker = Taker()
    streamed.pool.last.request.body_stream.begin(taker)
    assert (taker.got, client.transport.producerState) == (b"hello", "producing")
    client.send(b"world")
    assert (taker.got, taker.ended) == (b"helloworld", "end")


def test_a_worker_without_room_holds_its_client_back(streamed):
    """Until it has some."""
    client, taker = begin(streamed, taker=Taker(room=1))
    stream = streamed.pool.last.request.body_stream
    client.send(b"hello")
    assert client.transport.producerState == "paused"
    taker.room = 1
    stream.proceed()
    assert client.transport.producerState == "producing"
    client.send(b"world")
    assert (taker.got, taker.ended) == (b"helloworld", "end")


def test_who_expects_to_be_told_is_told_when_the_app_reads(streamed):
    """R30: and has all the time until then."""
    streamed.configure(STREAMED, body_read_timeout=5.0)
    client = streamed.connect()
    head = SIZED.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    assert client.send(head) == b""
    streamed.pass_time(60)
    streamed.pool.last.request.body_stream.begin(Taker())
    assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    streamed.pass_time(8)
    assert status(client.take()) == b"HTTP/1.1 408 Request Timeout"


def test_who_is_told_no_sends_nothing(streamed):
    """The app answers without having read."""
    client = streamed.connect()
    client.send(SIZED.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    streamed.pool.last.responder.answer(b"403 Forbidden\r\n", b"no")
    data = client.take()
    assert status(data) == b"HTTP/1.1 403 Forbidden"
    assert b"\r\nConnection: close\r\n" in data
    assert client.closed


@pytest.mark.parametrize("begun", [False, True], ids=["unread", "read"])
def test_what_an_app_does_not_want_reaches_nobody(streamed, begun):
    """It has answered; the rest is thrown away and the connection ends."""
    client, taker = begin(streamed) if begun else (streamed.connect(), Taker())
    if not begun:
        client.send(SIZED)
    streamed.pool.last.responder.answer(OK, b"thanks")
    assert client.take().endswith(b"thanks")
    assert client.closed
    client.send(b"helloworld" + GET)
    assert (taker.got, taker.ended, len(streamed.pool.sessions)) == (b"", "", 1)


def test_a_client_that_leaves_within_its_body_fails_it(streamed):
    """The app is told when it reads; nobody wants its answer."""
    client, taker = begin(streamed)
    client.send(b"hello")
    client.leave()
    assert (taker.got, taker.ended) == (b"hello", "failure")
    assert streamed.pool.last.calls == ["abandon"]
    late = streamed.connect()
    late.send(SIZED)
    late.leave()
    taker = Taker()
    streamed.pool.last.request.body_stream.begin(taker)
    assert (taker.got, taker.ended) == (b"", "failure")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"5\r\nhello\r\nFF\r\n", b"413 Content Too Large"),
        (b"x\r\n", b"400 Bad Request"),
    ],
)
def test_a_body_that_goes_wrong_on_its_way_is_refused(streamed, data, expected):
    """The worker gets no end; what it answers goes nowhere."""
    client, taker = begin(streamed, CHUNKED)
    assert status(client.send(data)) == b"HTTP/1.1 " + expected
    assert client.closed
    assert taker.ended == "failure"
    assert streamed.pool.last.calls == ["abandon"]


def test_a_body_that_goes_wrong_after_the_response_has_begun_ends_it(streamed):
    """It can't be taken for complete."""
    client, taker = begin(streamed, CHUNKED)
    streamed.pool.last.responder.begin(OK)
    client.take()
    assert client.send(b"x\r\n") == b""
    assert client.aborted
    assert (taker.ended, streamed.pool.last.calls) == ("failure", ["abandon"])


def test_a_client_has_its_time_only_while_it_is_its_turn(streamed):
    """Not while the app does not read."""
    streamed.configure(STREAMED, body_memory=4, body_read_timeout=5.0)
    client = streamed.connect()
    client.send(SIZED + b"hello")
    streamed.pass_time(60)
    taker = Taker()
    streamed.pool.last.request.body_stream.begin(taker)
    streamed.pass_time(5)
    assert client.take() == b""
    streamed.pass_time(3)
    assert status(client.take()) == b"HTTP/1.1 408 Request Timeout"
    assert (taker.got, taker.ended) == (b"hello", "failure")
    assert streamed.pool.last.calls == ["abandon"]


def test_a_failure_of_the_pool_ends_the_connection(streamed):
    """The queue was full, say, and the body is still coming."""
    streamed.pool._answer = lambda session: session.responder.answer(OK, b"at once")
    client = streamed.connect()
    data = client.send(SIZED)
    assert data.endswith(b"at once")
    assert client.closed


def test_who_does_not_wait_for_a_100_has_to_keep_up(streamed):
    """Else a byte would hold the worker that reads the rest, for ever."""
    client = streamed.connect()
    client.send(SIZED.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    client.send(b"h")
    taker = Taker()
    streamed.pool.last.request.body_stream.begin(taker)
    streamed.pass_time(300)
    assert status(client.take()) == b"HTTP/1.1 408 Request Timeout"
    assert (taker.got, taker.ended) == (b"h", "failure")


def test_a_body_that_was_begun_is_not_sent_again(streamed):
    """A second worker does not take what is left of it for all of it."""
    client, taker = begin(streamed)
    stream = streamed.pool.last.request.body_stream
    stream.leave()
    second = Taker()
    stream.begin(second)
    client.send(b"helloworld")
    assert (taker.ended, second.got, second.ended) == ("", b"", "failure")


class Source:
    def __init__(self):
        self.held = False
        self.asked = 0

    def body_wanted(self):
        self.asked += 1

    def hold_body(self):
        self.held = True

    def release_body(self):
        self.held = False


@given(
    pieces=st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=9),
    steps=st.lists(st.sampled_from(["feed", "begin", "proceed"]), max_size=30),
    room=st.integers(1, 20),
)
def test_bytes_come_in_order_whoever_waits_for_whom(pieces, steps, room):
    """No byte is lost, and at the end is the end."""
    whole = b"".join(pieces)
    source, taker = Source(), Taker(room=1)
    stream = BodyStream(source, LengthDecoder(len(whole)), room)
    begun = False
    waiting = list(pieces)

    def step(name):
        nonlocal begun
        if name == "feed" and waiting and not source.held:
            assert stream.feed(waiting.pop(0)) == b""
        elif name == "begin" and not begun:
            begun = True
            stream.begin(taker)
        elif name == "proceed" and begun and not taker.room:
            taker.room = 1
            stream.proceed()
        assert whole.startswith(taker.got)

    for name in steps:
        step(name)
    for name in ["begin", *["feed", "proceed"] * (2 * len(pieces))]:
        step(name)
    assert (taker.got, taker.ended, stream.length) == (whole, "end", len(whole))
