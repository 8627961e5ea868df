"""Reading requests: any pieces, any nonsense."""

from __future__ import annotations

import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passtwist.errors import BadFrame, WireError
from passtwist.wire import session
from passtwist.wire.frames import MAX_SESSION_PAYLOAD, encode_frame
from passtwist.worker.requests import RequestReader

PAIRS = [b"REQUEST_METHOD", b"POST", b"PATH_INFO", b"/x", b"EMPTY", b""]
ENVIRON = {"REQUEST_METHOD": "POST", "PATH_INFO": "/x", "EMPTY": ""}


class Pieces:
    """A socket that gives what it was given, piece by piece, then ends."""

    def __init__(self, pieces):
        self._pieces = list(pieces)

    def recvmsg(self, size, _ancillary, _flags):
        if not self._pieces:
            return b"", [], 0, None
        piece = self._pieces.pop(0)
        if len(piece) > size:
            self._pieces.insert(0, piece[size:])
        return piece[:size], [], 0, None


def read(*pieces):
    """One request from these pieces, its body read."""
    request = RequestReader(Pieces(pieces)).read()
    if request is None:
        return None
    number, environ, body = request
    return number, environ, body.read()


def whole(body, number=7):
    flags = 0 if body else session.LAST
    start = session.encode_request_start(number, PAIRS, flags)
    return start + (session.encode_body(body, last=True) if body else b"")


@pytest.mark.parametrize("body", [b"", b"x", b"hello" * 3])
def test_a_request_may_be_split_at_every_byte(body):
    """Two reads instead of one make no difference, wherever the cut is."""
    data = whole(body)
    for cut in range(1, len(data)):
        assert read(data[:cut], data[cut:]) == (7, ENVIRON, body)


def test_a_request_may_come_byte_by_byte():
    data = whole(b"hello")
    assert read(*(data[at : at + 1] for at in range(len(data)))) == (
        7,
        ENVIRON,
        b"hello",
    )


@given(
    chunks=st.lists(st.binary(max_size=2000), max_size=5),
    number=st.integers(0, 2**64 - 1),
    size=st.integers(1, 3000),
)
def test_any_frames_in_any_pieces_give_the_same_request(chunks, number, size):
    """BODY frames, empty ones too, then END."""
    data = session.encode_request_start(number, PAIRS)
    for chunk in chunks:
        data += encode_frame(session.BODY, chunk)
    data += encode_frame(session.END)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert read(*pieces) == (number, ENVIRON, b"".join(chunks))


@pytest.mark.parametrize("length", range(len(whole(b"body"))))
def test_a_connection_that_ends_early_has_begun_nothing(length):
    """The controller gives the request to another worker."""
    data = whole(b"body")[:length]
    assert read(*([data] if data else [])) is None


@given(data=st.binary(min_size=1, max_size=200))
def test_garbage_is_an_error_or_an_end_and_never_anything_else(data):
    """No IndexError, no UnicodeDecodeError, no endless loop."""
    try:
        read(data)
    except WireError:
        pass


START = session.encode_request_start(1, PAIRS)


@pytest.mark.parametrize(
    "data",
    [
        encode_frame(session.BODY, b"x", session.LAST),
        encode_frame(session.END),
        START + START,
        START + encode_frame(session.READY, b"\0\0\0\0", session.LAST),
        START + encode_frame(session.END) + encode_frame(session.END),
        whole(b"") + b"more",
        START + session.encode_body_file(3),
        START + encode_frame(session.BODY_FILE, b"short", session.LAST),
        encode_frame(session.START, b"short", session.LAST),
        encode_frame(session.START, bytes(8) + b"KEY", session.LAST),
        session.HEADER.pack(session.START, 0, MAX_SESSION_PAYLOAD + 1) + b"x",
    ],
    ids=range(11),
)
def test_frames_in_the_wrong_place_are_refused(data):
    """One by one, so that each is known to be seen."""
    with pytest.raises(WireError):
        read(data)


def test_a_body_file_of_another_length_is_refused_and_closed(tmp_path):
    """It would be read past what was announced."""
    ours, theirs = socket.socketpair()
    path = tmp_path / "body"
    path.write_bytes(b"0123456789")
    with ours, theirs, path.open("rb") as file:
        before = len(os.listdir("/proc/self/fd"))
        data = START + session.encode_body_file(4)
        socket.send_fds(ours, [data], [file.fileno()])
        with pytest.raises(BadFrame):
            RequestReader(theirs).read()
        assert len(os.listdir("/proc/self/fd")) == before


def test_descriptors_that_nobody_asked_for_are_closed(tmp_path):
    """They come from the controller, which is trusted, but may be wrong."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        before = len(os.listdir("/proc/self/fd"))
        socket.send_fds(ours, [whole(b"x")], [ours.fileno(), theirs.fileno()])
        assert RequestReader(theirs).read()[0] == 7
        assert len(os.listdir("/proc/self/fd")) == before
