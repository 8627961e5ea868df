"""What an app may say in a status and headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passtwist.http.response_head import (
    BadResponseHead,
    ResponseHeads,
    check_head,
    check_interim,
)


@pytest.mark.parametrize(
    ("block", "status", "sent"),
    [
        (b"200 OK\r\n", 200, b"200 OK\r\n"),
        (b"200\r\n", 200, b"200 \r\n"),
        (b"200 \r\n", 200, b"200 \r\n"),
        (b"599 What Ever\r\nX:y\r\n", 599, b"599 What Ever\r\nX:y\r\n"),
        (b"999 Denied\r\n", 999, b"999 Denied\r\n"),
        (b"200 OK\r\nX: caf\xe9\t1\r\n", 200, b"200 OK\r\nX: caf\xe9\t1\r\n"),
        (b"200 OK\r\nX:\r\n", 200, b"200 OK\r\nX:\r\n"),
        (
            b"200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n",
            200,
            b"200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n",
        ),
        (b"200\r\nDate: x\r\n", 200, b"200 \r\nDate: x\r\n"),
        (
            b"200 OK\r\nConnection: Set-Cookie, X-A\r\nSet-Cookie: a\r\nX-A: b\r\n",
            200,
            b"200 OK\r\nSet-Cookie: a\r\n",
        ),
        (
            b"200 OK\r\nX-Date: a\r\nTeapot: b\r\n",
            200,
            b"200 OK\r\nX-Date: a\r\nTeapot: b\r\n",
        ),
    ],
)
def test_is_sent_as(block, status, sent):
    """As it is, but for what is the server's."""
    head = check_head(block)
    assert (head.status, head.block) == (status, sent)


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        (b"", None),
        (b"Content-Length: 5\r\n", 5),
        (b"content-LENGTH:5 \r\n", 5),
        (b"Content-Length: 5\r\nContent-Length: 5\r\n", 5),
        (b"Content-Length: 0\r\n", 0),
    ],
)
def test_the_content_length_is_taken_out(lines, length):
    """The front end says it in its own words."""
    head = check_head(b"200 OK\r\nX: y\r\n" + lines)
    assert (head.content_length, head.block) == (length, b"200 OK\r\nX: y\r\n")


@given(st.binary(max_size=80))
def test_no_bytes_get_through_that_could_end_the_head(tail):
    """A checked block is lines, each ended properly, with no control characters."""
    try:
        head = check_head(b"200 OK\r\n" + tail)
    except BadResponseHead:
        return
    assert head.block.endswith(b"\r\n")
    for line in head.block[:-2].split(b"\r\n"):
        assert line
        assert not set(line) & (set(range(32)) - {9} | {127})


def test_the_same_block_is_checked_once():
    """And the memory of blocks is small."""
    heads = ResponseHeads()
    assert heads.check(b"200 OK\r\nA: b\r\n") is heads.check(b"200 OK\r\nA: b\r\n")
    for number in range(3000):
        heads.check(b"200 OK\r\nA: %d\r\n" % number)
    assert len(heads._known) <= 1024


def test_a_bad_block_is_bad_each_time():
    """It is not remembered as good."""
    heads = ResponseHeads()
    for _ in range(2):
        with pytest.raises(BadResponseHead):
            heads.check(b"200 OK\r\nA\r\n")


@pytest.mark.parametrize(
    ("block", "sent"),
    [
        (b"103 Early Hints\r\nLink: x\r\n", b"103 Early Hints\r\nLink: x\r\n"),
        (b"103 Early Hints\r\nConnection: close\r\n", b"103 Early Hints\r\n"),
        (b"100 Continue\r\n", None),
        (b"200 OK\r\n", None),
        (b"103 Early Hints\r\nLink: a\nb\r\n", None),
    ],
)
def test_interim_responses(block, sent):
    """Only 103, and only when well-formed."""
    assert check_interim(block) == sent
