"""The load generator reads HTTP answers, however they are cut, and doubts them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load.open_loop_answer import Answer, BadAnswer

COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED = (
    CHUNKED_HEAD + b"5\r\nhello\r\nA;note=1\r\n, world!!!\r\n0\r\nTrailer: x\r\n\r\n"
)
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n" + COUNTED
EMPTY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
NOTHING = b"HTTP/1.1 204 No Content\r\n\r\n"


def read(pieces: list[bytes]) -> tuple[list[bool], int, int, bool]:
    """When it was complete, the status, the length, whether it is kept alive."""
    answer = Answer()
    complete = [answer.feed(piece) for piece in pieces]
    return complete, answer.status, answer.length, answer.keep_alive


ANSWERS = (
    (COUNTED, 200, 5),
    (CHUNKED, 200, 15),
    (INTERIM, 200, 5),
    (EMPTY, 503, 0),
    (NOTHING, 204, 0),
)


@given(expected=st.sampled_from(ANSWERS), data=st.data())
def test_an_answer_is_the_same_however_it_is_cut(expected, data):
    """It is complete with its last byte, never before."""
    text, status, length = expected
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text) - 1))))
    edges = [0, *cuts, len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    complete = [False] * (len(pieces) - 1) + [True]
    assert read(pieces) == (complete, status, length, True)


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", True),
    ],
    ids=["1.1", "1.1 close", "1.0", "1.0 keep-alive"],
)
def test_whether_a_connection_is_kept_is_what_version_and_header_say(head, kept):
    assert read([head + b"content-length: 2\r\n\r\nok"]) == ([True], 200, 2, kept)


def test_a_body_without_a_length_lasts_until_the_connection_is_closed():
    answer = Answer()
    begun = answer.feed(b"HTTP/1.0 200 OK\r\n\r\nhel")
    more = answer.feed(b"lo")
    assert (begun, more, answer.end_of_file()) == (False, False, True)
    assert (answer.length, answer.keep_alive) == (5, False)


@given(text=st.sampled_from([COUNTED, CHUNKED, EMPTY]), data=st.data())
def test_a_connection_closed_early_leaves_no_complete_answer(text, data):
    answer = Answer()
    answer.feed(text[: data.draw(st.integers(0, len(text) - 1))])
    assert not answer.end_of_file()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"SSH-2.0-server\r\n\r\n", "begins with b'SSH-2.0-server'"),
        (COUNTED + b"!", "1 bytes more than the answer has"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "Content-Length b'-5'"),
        (CHUNKED_HEAD + b"xyz\r\n", "size of a chunk b'xyz'"),
        (CHUNKED_HEAD + b"1\r\nab\r\n", "a chunk longer than its size"),
        (b"x" * 70_000, "a head without an end"),
        (CHUNKED_HEAD + b"1" * 300, "a line among the chunks without an end"),
    ],
    ids=["ssh", "too long", "length", "size", "chunk", "head", "line"],
)
def test_what_is_no_answer_is_told(text, why):
    with pytest.raises(BadAnswer) as caught:
        Answer().feed(text)
    assert str(caught.value) == why
