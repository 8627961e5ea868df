"""Requests as Hypothesis makes them: right, or nearly.

Runs in: tests.
"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st

METHODS = st.sampled_from([b"GET", b"POST", b"HEAD", b"get", b"OPTIONS", b"PUT"])
BAD_METHODS = st.sampled_from([b"G T", b"", b"GE\rT", b"G\0T", b"CONNECT", b"G@T"])
TARGETS = st.sampled_from(
    [b"/", b"/a?b", b"/a%20b", b"*", b"http://b/x", b"HTTPS://[::1]:1?q", b"/%00"]
)
BAD_TARGETS = st.sampled_from(
    [b"/a#b", b"a", b"/a b", b"/\xe9", b"http://u@b/", b"/\x7f", b"//a\t", b"/\n", b""]
)
VERSIONS = st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0"])
BAD_VERSIONS = st.sampled_from(
    [b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 ", b"HTTP/0.9", b"HTTP/1.10"]
)

GOOD_FIELDS = st.sampled_from(
    [
        b"Accept: */*",
        b"Connection: close",
        b"Connection: keep-alive, x",
        b"Connection: Host, Content-Length",
        b"X-A: \xe9",
        b"X-A: \t b c \t",
        b"X:",
        b"Expect: 100-continue",
        b"Cookie: a=b",
        b"cookie:c=d",
        b"X_A: b",
        b"Upgrade: websocket",
        b"Transfer_Encoding: chunked",
        b"Content_Length: 9",
        b"TE: chunked",
    ]
)
BAD_FIELDS = st.sampled_from(
    [
        b"Host: a",
        b"Host: b",
        b"Host: a, b",
        b"X : y",
        b": y",
        b"X",
        b" folded",
        b"\tfolded",
        b"X: a\rb",
        b"X: a\nb",
        b"X: a\0b",
        b"X: \x7f",
        b"X\xe9: y",
        b"Expect: 200-ok",
        b"Content-Length : 5",
        b"Transfer-Encoding : chunked",
        b"X: y\nTransfer-Encoding: chunked",
        b"X: y\rContent-Length: 5",
    ]
)
LENGTH_NAMES = st.sampled_from(
    [b"Content-Length: ", b"content-length:", b"Content-Length:\t"]
)
GOOD_LENGTHS = st.sampled_from([b"5", b"05", b"5 \t", b"0", b"005"])
BAD_LENGTHS = st.sampled_from(
    [
        b"+5",
        b"-5",
        b"5,5",
        b"5, 6",
        b"0x5",
        b"5_0",
        b"",
        b"\xb2",
        b"5\x0b",
        b"9" * 19,
        b"9" * 20,
        b"9" * 4400,
        b"0" * 30 + b"5",
    ]
)
CODING_NAMES = st.sampled_from(
    [b"Transfer-Encoding: ", b"transfer-encoding:", b"Transfer-Encoding:\t "]
)
GOOD_CODINGS = st.sampled_from([b"chunked", b"Chunked", b"chunked \t"])
BAD_CODINGS = st.sampled_from(
    [
        b"gzip, chunked",
        b"identity",
        b"xchunked",
        b"chunked, chunked",
        b"chunked,",
        b",chunked",
        b'"chunked"',
        b"\x0bchunked",
        b"chunked\xa0",
        b"chunked\r\nTransfer-Encoding: x",
        b"\r\n chunked",
        b"",
    ]
)

SIZES = st.sampled_from([b"%x", b"%X", b"0%x", b"000%x"])
BAD_SIZES = st.sampled_from(
    [b"+%x", b"0x%x", b" %x", b"%x ", b"-%x", b"%x_", b"f%x", b"0" * 17 + b"%x", b""]
)
EXTENSIONS = st.sampled_from([b"", b"", b";a", b";a=b", b';a="b;c"', b" ; a = b"])
BAD_EXTENSIONS = st.sampled_from(
    [b";", b";;", b";a=", b';a="', b";a\n", b";a\0", b";a b", b';a="\r\n"', b";a\r"]
)
BAD_ENDS = st.sampled_from([b"\n", b"\r", b"", b"\n\r", b"\r\n\r\n", b"x\r\n"])
TRAILERS = st.sampled_from([b"", b"", b"A: b\r\n", b"Content-Length: 9\r\n"])
BAD_TRAILERS = st.sampled_from(
    [b"A\r\n", b" A: b\r\n", b"A : b\r\n", b"A: b\n", b"\0: b\r\n"]
)

# What is changed at any place, one byte for another.
BYTES = b"\r\n\0 \t:,;x5+_\x0b\x7f\x85\xff"
MUTATIONS = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from(BYTES)), min_size=1, max_size=2
)

# Where a request may be wrong.
NOWHERE, METHOD, TARGET, VERSION, FIELD, FRAMING, CHUNK, LINE_END, ANYWHERE = range(9)


@st.composite
def chunked_bodies(draw, wrong: bool = False) -> bytes:
    """Up to three chunks, the last one, trailers; if *wrong*, in one respect."""
    place = draw(st.integers(0, 3)) if wrong else -1
    chunks = draw(st.lists(st.binary(min_size=1, max_size=6), max_size=3))
    at = draw(st.integers(0, len(chunks))) if wrong else -1
    data = b""
    for number, chunk in enumerate([*chunks, b""]):
        here = number == at
        size = draw(BAD_SIZES if here and place == 0 else SIZES)
        data += size % len(chunk) if b"%" in size else size
        data += draw(BAD_EXTENSIONS if here and place == 1 else EXTENSIONS) + b"\r\n"
        if chunk:
            data += chunk + (draw(BAD_ENDS) if here and place == 2 else b"\r\n")
    data += draw(BAD_TRAILERS if place == 3 else TRAILERS)
    return data + b"\r\n"


@st.composite
def requests(draw) -> bytes:
    """One request; about two in three are wrong in one respect."""
    wrong = draw(
        st.sampled_from([NOWHERE, NOWHERE, NOWHERE, *range(METHOD, ANYWHERE + 1)])
    )
    line = b" ".join(
        (
            draw(BAD_METHODS if wrong == METHOD else METHODS),
            draw(BAD_TARGETS if wrong == TARGET else TARGETS),
            draw(BAD_VERSIONS if wrong == VERSION else VERSIONS),
        )
    )
    fields = [b"Host: a", *draw(st.lists(GOOD_FIELDS, max_size=3))]
    if wrong == FIELD:
        fields.append(draw(BAD_FIELDS))
    body = b""
    framing = draw(st.integers(0, 2)) if wrong != CHUNK else 2
    if wrong == FRAMING:
        fields.append(draw(LENGTH_NAMES) + draw(BAD_LENGTHS | GOOD_LENGTHS))
        fields.append(draw(CODING_NAMES) + draw(BAD_CODINGS | GOOD_CODINGS))
        fields = fields[: draw(st.integers(len(fields) - 1, len(fields)))]
        body = draw(
            st.sampled_from([b"hello", b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n"])
        )
    elif framing == 1:
        length = draw(GOOD_LENGTHS)
        fields.append(draw(LENGTH_NAMES) + length)
        body = b"hello"[: int(length)]
    elif framing == 2:
        fields.append(draw(CODING_NAMES) + draw(GOOD_CODINGS))
        body = draw(chunked_bodies(wrong=wrong == CHUNK))
    lines = [line, *draw(st.permutations(fields)), b""]
    ends = [b"\r\n"] * len(lines)
    if wrong == LINE_END:
        ends[draw(st.integers(0, len(ends) - 1))] = draw(BAD_ENDS)
    data = b"".join([part for pair in zip(lines, ends, strict=True) for part in pair])
    data += body
    if wrong == ANYWHERE:
        changed = bytearray(data)
        for place, byte in draw(MUTATIONS):
            changed[place % len(data)] = byte
        data = bytes(changed)
    return data


# Several on one connection.
pipelines = st.lists(requests(), min_size=1, max_size=3).map(b"".join)


@st.composite
def splits(draw, data: bytes) -> list[bytes]:
    """*data*, in up to five pieces."""
    cuts = sorted(draw(st.sets(st.integers(0, len(data)), max_size=4)))
    edges = [0, *cuts, len(data)]
    return [data[start:end] for start, end in pairwise(edges)]
