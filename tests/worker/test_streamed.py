"""`wsgi.input` of a request whose body comes while the app runs."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passtwist.errors import BadFrame
from passtwist.wire.frames import MAX_SESSION_PAYLOAD, FrameReader, encode_frame
from passtwist.wire.session import (
    BODY,
    END,
    FAIL,
    LAST,
    START,
    STREAMED,
    WANT,
    encode_body,
    encode_request_start,
)
from passtwist.worker.requests import RequestReader
from passtwist.worker.streamed import ClientLeft
from passtwist.worker.wsgi import WsgiHalf

PAIRS = [b"REQUEST_METHOD", b"POST", b"PATH_INFO", b"/", b"SCRIPT_NAME", b""]
ASKED = encode_frame(WANT)


def streamed(number=1):
    return encode_request_start(number, PAIRS, LAST | STREAMED)


def request(controller, *frames):
    """A streamed request that was read, and its body's frames behind it."""
    controller.ours.sendall(streamed())
    found = controller.reader.read()
    controller.ours.sendall(b"".join(frames))
    return found


def asked(controller):
    """What the worker has sent."""
    controller.ours.setblocking(False)
    try:
        return controller.ours.recv(65536)
    except BlockingIOError:
        return b""


def test_nothing_is_asked_for_before_the_app_reads(controller):
    """Then it is, once, however often it reads."""
    number, environ, body = request(
        controller, encode_frame(BODY, b"hello\nworld"), encode_frame(END)
    )
    assert (number, environ["REQUEST_METHOD"], asked(controller)) == (1, "POST", b"")
    assert (body.read(3), body.readline(), body.read(), body.read()) == (
        b"hel",
        b"lo\n",
        b"world",
        b"",
    )
    assert asked(controller) == ASKED


@pytest.mark.parametrize(
    "frames",
    [
        [encode_frame(END)],
        [encode_frame(BODY, b"", LAST)],
        [encode_frame(BODY), encode_frame(END)],
    ],
    ids=["END", "LAST", "empty"],
)
def test_a_body_may_be_empty(controller, frames):
    """And its end is its end, also when it is read again."""
    _, _, body = request(controller, *frames)
    assert (body.read(10), body.readline(), list(body)) == (b"", b"", [])


@given(
    pieces=st.lists(st.binary(max_size=70), max_size=8),
    sizes=st.lists(st.integers(1, 50), min_size=1),
)
def test_any_frames_read_in_any_sizes_are_the_same_body(pieces, sizes):
    """Reads are never short, but at the end."""
    whole = b"".join(pieces)
    frames = b"".join(encode_frame(BODY, piece) for piece in pieces)
    _, _, body = RequestReader(Replay(streamed(), frames + encode_frame(END))).read()
    got = b""
    for size in sizes:
        piece = body.read(size)
        assert len(piece) == min(size, len(whole) - len(got))
        got += piece
    assert got + body.read() == whole


class Replay:
    """A connection that gives what was sent before, piece by piece."""

    def __init__(self, request, data):
        self._request = request
        self._data = data

    def recvmsg(self, *sizes):
        return self._request, [], 0, None

    def recv_into(self, view):
        data = self._data[: min(len(view), 7)]
        view[: len(data)] = data
        self._data = self._data[len(data) :]
        return len(data)

    def sendall(self, data):
        assert data == ASKED


@pytest.mark.parametrize("told", [True, False], ids=["told", "cut"])
def test_an_app_learns_that_its_client_has_left(controller, told):
    """Behind what it can still read; and each time it reads again."""
    _, _, body = request(controller, encode_frame(BODY, b"hello"))
    assert body.read1(5) == b"hello"
    if told:
        controller.ours.sendall(encode_frame(FAIL))
    else:
        controller.ours.close()
    for read in (body.read, body.readline, body.read1):
        with pytest.raises(ClientLeft, match="client went away before"):
            read()


def test_an_app_that_passes_that_on_is_not_blamed(controller, capfd):
    """One line in the log; and the connection is good for the next request."""

    def app(environ, start_response):
        return [environ["wsgi.input"].read()]

    controller.ours.sendall(streamed() + b"")
    found = controller.reader.read()
    controller.ours.sendall(encode_frame(FAIL) + streamed(2))
    assert WsgiHalf(app, False).answer(controller.theirs, found)
    assert capfd.readouterr().err == (
        "passtwist: POST '/' failed: the client went away before its request's body "
        "was complete\n"
    )
    assert controller.reader.read()[0] == 2


@pytest.mark.parametrize("reads", [0, 3, 100])
def test_the_next_request_begins_where_the_body_ends(controller, reads):
    """However much of it the app has read."""

    def app(environ, start_response):
        if reads:
            environ["wsgi.input"].read(reads)
        start_response("200 OK", [])
        return [b"thanks"]

    found = request(controller, *([encode_body(b"x" * 50, last=True)] if reads else []))
    assert WsgiHalf(app, False).answer(controller.theirs, found)
    controller.ours.sendall(streamed(2))
    assert controller.reader.read()[0] == 2


def test_without_the_rest_of_the_body_there_is_no_next_request(controller):
    """The controller closes the connection when it is not on its way."""
    found = request(controller, encode_frame(BODY, b"hello"))
    assert found[2].read1(1) == b"h"
    controller.ours.close()
    assert controller.reader.read() is None


def test_an_app_may_close_its_input(controller):
    """And answer all the same."""

    def app(environ, start_response):
        environ["wsgi.input"].read(1)
        environ["wsgi.input"].close()
        start_response("200 OK", [])
        return [b"thanks"]

    found = request(controller, encode_body(b"hello", last=True))
    assert WsgiHalf(app, False).answer(controller.theirs, found)
    frames = FrameReader(MAX_SESSION_PAYLOAD).feed(asked(controller))
    assert [kind for kind, _, _ in frames] == [WANT, START, BODY]


def test_one_thread_may_read_while_another_answers(controller):
    """The frame that asks gets into the middle of no other."""
    piece = b"y" * 300_000
    found = request(controller)
    asking = threading.Thread(target=found[2].read)

    def app(environ, start_response):
        write = start_response("200 OK", [])
        write(piece)
        asking.start()
        for _ in range(5):
            write(piece)
        controller.ours.sendall(encode_frame(END))
        asking.join()
        return []

    frames = []
    reader = FrameReader(MAX_SESSION_PAYLOAD, BODY)

    def collect():
        while not (frames and frames[-1][0] == END):
            frames.extend(reader.feed(controller.ours.recv(65536)))

    collecting = threading.Thread(target=collect)
    collecting.start()
    assert WsgiHalf(app, False).answer(controller.theirs, found)
    collecting.join()
    assert b"".join(data for kind, _, data in frames if kind == BODY) == piece * 6
    assert [kind for kind, _, _ in frames].count(WANT) == 1


def test_frames_that_are_no_body_are_refused(controller):
    """The connection ends, and an app that tries again reads nothing of them."""
    _, _, body = request(controller, encode_frame(START, b"x"))
    with pytest.raises(BadFrame, match="frame of type 1 in a streamed body"):
        body.read()
    with pytest.raises(ClientLeft):
        body.read()
    assert controller.reader.read() is None
