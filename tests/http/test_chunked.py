"""The decoder of chunked bodies, rows R25 to R29 and in any splitting."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passtwist.http.config import HttpLimits
from passtwist.http.parsing.chunked import ChunkedDecoder
from passtwist.http.refusal import Refusal

LIMITS = HttpLimits()
SMALL = replace(LIMITS, max_chunk_line=40, max_chunk_extensions=60, max_trailers=50)


def decode(*pieces: bytes, limits=LIMITS, max_body=0):
    """Body and rest; ``(body so far, None)`` if unfinished; the refusal's status."""
    decoder = ChunkedDecoder(limits, max_body)
    body = b""
    rest = b""
    for index, piece in enumerate(pieces):
        try:
            body += decoder.feed(piece)
        except Refusal as refusal:
            return refusal.status
        if decoder.finished:
            rest = decoder.rest + b"".join(pieces[index + 1 :])
            return body, rest
    return body, None


def decode_every_way(data: bytes, **options):
    """The outcome of *data*, however it is split."""
    whole = decode(data, **options)
    for cut in range(1, len(data)):
        assert decode(data[:cut], data[cut:], **options) == whole, data[:cut]
    assert decode(*(data[i : i + 1] for i in range(len(data))), **options) == whole
    return whole


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b"0\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n", b"0123456789" * 2),
        (b"0000000000000005\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
        (b"5;a\r\nhello\r\n0;b=c\r\n\r\n", b"hello"),
        (b'5 ; a = "x;\\"y" ;b\r\nhello\r\n0\r\n\r\n', b"hello"),
        (b"0\r\nX-Trailer: 1\r\nY: 2\r\n\r\n", b""),
        (b"0\r\nContent-Length: 5\r\nHost: evil\r\n\r\n", b""),
    ],
)
def test_is_decoded(data, body):
    """The body comes out, what follows stays, extensions and trailers are gone."""
    assert decode_every_way(data + b"GET /") == (body, b"GET /")


@pytest.mark.parametrize(
    "data",
    [
        b"+5\r\nhello\r\n",
        b"-5\r\nhello\r\n",
        b"0x5\r\nhello\r\n",
        b"5_0\r\n",
        b" 5\r\nhello\r\n",
        b"5 \r\nhello\r\n",
        b"\t5\r\nhello\r\n",
        b"\r\nhello\r\n",
        b"g\r\n",
        b"00000000000000005\r\nhello\r\n",
        b"5\nhello\r\n",
        b"5\rhello\r\n",
        b"5;\r\nhello\r\n",
        b"5;;a\r\nhello\r\n",
        b"5;a=\r\nhello\r\n",
        b"5;a b\r\nhello\r\n",
        b'5;a="b\r\n"\r\nhello\r\n',
        b'5;a="b\r\nhello\r\n',
        b"5;a\x00\r\nhello\r\n",
        b"5;a\nb\r\nhello\r\n",
        b"5\r\nhelloo\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r0\r\n\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\n folded: 1\r\n\r\n",
        b"0\r\nX : 1\r\n\r\n",
        b"0\r\nX: a\x00b\r\n\r\n",
        b"0\r\nX: a\nY: b\r\n\r\n",
    ],
)
def test_is_refused(data):
    """R25 to R28: whatever another reader could see differently is 400."""
    assert decode_every_way(data) == 400


@pytest.mark.parametrize(
    "data", [b"5\r\nhell", b"5\r\nhello", b"0\r\n", b"0\r\nX: 1\r\n"]
)
def test_a_truncated_body_never_ends(data):
    """R29."""
    body, rest = decode_every_way(data)
    assert rest is None
    assert b"hello".startswith(body)


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (b"1;" + b"a" * 38 + b"\r\nx\r\n0\r\n\r\n", (b"x", b"")),
        (b"1;" + b"a" * 39 + b"\r\nx\r\n0\r\n\r\n", 400),
        (b"1;" + b"a" * 80, 400),
        ((b"1;" + b"a" * 29 + b"\r\nx\r\n") * 2 + b"0\r\n\r\n", (b"xx", b"")),
        ((b"1;" + b"a" * 29 + b"\r\nx\r\n") * 2 + b"0;b\r\n\r\n", 400),
        (b"0\r\nX: " + b"a" * 45 + b"\r\n\r\n", (b"", b"")),
        (b"0\r\nX: " + b"a" * 46 + b"\r\n\r\n", 431),
        (b"0\r\nX: " + b"a" * 90, 431),
        (b"0\r\n" + b"X: aaaaaaaa\r\n" * 4 + b"\r\n", 431),
    ],
)
def test_limits(data, outcome):
    """R26, R28: per line and in total."""
    assert decode_every_way(data, limits=SMALL) == outcome


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (b"a\r\n0123456789\r\n0\r\n\r\n", (b"0123456789", b"")),
        (b"b\r\n", 413),
        (b"a\r\n0123456789\r\n1\r\n", 413),
        (b"ffffffffffffffff\r\n", 413),
    ],
)
def test_a_body_over_the_limit_is_refused_when_it_is_announced(data, outcome):
    """R25: the size of the chunk is enough; its bytes need not come."""
    assert decode_every_way(data, max_body=10) == outcome


def test_without_a_limit_the_largest_sizes_are_refused_all_the_same():
    """2**63 bytes are nobody's body."""
    assert decode(b"ffffffffffffffff\r\n") == 413


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=40), max_size=8),
    cuts=st.lists(st.integers(min_value=0, max_value=400), max_size=12),
    rest=st.binary(max_size=10),
)
def test_every_body_survives_every_splitting(chunks, cuts, rest):
    """What was encoded comes out, and what follows is untouched."""
    data = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    data += b"0\r\n\r\n" + rest
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
    assert decode(*pieces) == (b"".join(chunks), rest)


@given(st.binary(max_size=60), st.integers(min_value=0, max_value=60))
def test_any_bytes_have_one_meaning(data, cut):
    """However they are split, and without any other exception than a refusal."""
    whole = decode(data)
    assert decode(data[:cut], data[cut:]) == whole
