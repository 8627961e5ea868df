"""Nearly valid requests: one meaning however they come, and the same to h11.

h11 accepts more (line feeds alone, folded lines, equal lengths twice), which
the table of requirements overrides; the other direction would be a hole.
"""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from passtwist.http.config import HttpLimits
from passtwist.http.parsing.scanner import HeadScanner
from passtwist.http.refusal import Refusal
from tests.http.nearly_valid import pipelines, requests, splits
from tests.http.oracle import (
    MARKER,
    SEEN_MARKER,
    OurReader,
    is_foreign_to_h11,
    read_by_h11,
)


@pytest.fixture(scope="module")
def reader():
    return OurReader()


@given(st.data())
def test_requests_mean_the_same_however_they_are_split(reader, data):
    """Statuses, what reaches the app, and whether the connection ends."""
    sent = data.draw(pipelines) + MARKER
    whole = reader.read(sent)
    assert reader.read(*data.draw(splits(sent))) == whole


@given(pipelines)
def test_what_reaches_the_app_is_what_h11_reads(reader, sent):
    """Method, target and every byte of the body, in order, and nothing else."""
    seen = reader.read(sent + MARKER).seen
    theirs = read_by_h11(sent + MARKER)
    if not is_foreign_to_h11(sent):
        assert theirs[: len(seen)] == seen


@given(pipelines)
def test_nothing_behind_a_refused_request_reaches_the_app(reader, sent):
    """A refusal is the last response, and the connection ends with it."""
    reading = reader.read(sent + MARKER)
    refusals = [status for status in reading.statuses if status >= 400]
    assert len(refusals) <= 1
    if refusals:
        assert reading.statuses[-1] == refusals[0]
        assert not reading.open
        assert SEEN_MARKER not in reading.seen
    assert len(reading.seen) == len(reading.statuses) - len(refusals)


@pytest.fixture(scope="module")
def streaming():
    return OurReader(streamed=True)


@given(st.data())
def test_an_app_that_gets_bodies_as_they_come_gets_the_same(reader, streaming, data):
    """Whether a body is read before the app is asked, or by the app."""
    sent = data.draw(pipelines) + MARKER
    assert streaming.read(*data.draw(splits(sent))) == reader.read(sent)


@pytest.fixture(scope="module")
def lazy():
    return OurReader(streamed=True, lazy=True)


@given(st.data())
def test_a_body_that_nobody_reads_is_no_request(lazy, data):
    """All that an app is asked for behind it is what h11 finds there, too."""
    sent = data.draw(pipelines)
    seen = lazy.read(*data.draw(splits(sent + MARKER))).seen
    if not is_foreign_to_h11(sent):
        theirs = read_by_h11(sent + MARKER)
        # Of the last one only the head was read.
        whole = [without_body(one) for one in seen[:-1]]
        assert whole == [without_body(one) for one in theirs[: len(whole)]]
        assert SEEN_MARKER not in seen or SEEN_MARKER in theirs


def without_body(seen: bytes) -> bytes:
    return b" ".join(seen.split(b" ", 2)[:2])


@given(data=st.binary(max_size=120), cut=st.integers(0, 120))
def test_any_bytes_mean_the_same_however_they_are_split(reader, data, cut):
    """Bytes that are no request at all, too."""
    assert reader.read(data[:cut], data[cut:]) == reader.read(data)


@given(requests())
def test_what_is_accepted_has_the_headers_that_httptools_sees(data):
    """Names and values, for the headers that reach the app."""
    seen: dict[bytes, list[bytes]] = {}

    class Callbacks:
        def on_header(self, name: bytes, value: bytes) -> None:
            if not name.replace(b"-", b"").isalnum():
                return  # such a name reaches no app: X_A would pass for X-A
            key = b"HTTP_" + name.upper().replace(b"-", b"_")
            seen.setdefault(key, []).append(value.strip(b" \t"))

    try:
        head = HeadScanner(HttpLimits()).scan(data)
    except Refusal:
        return
    if head is None:
        return
    # httptools knows neither all methods nor HTTP/1.2, no white space behind a coding,
    # and takes what follows an upgrade for no HTTP: it gets the other headers alone.
    lines = data[: head.end - 4].removeprefix(b"\r\n").split(b"\r\n")[1:]
    others = (b"transfer-encoding", b"upgrade")
    fields = [one for one in lines if one.partition(b":")[0].lower() not in others]
    parser = httptools.HttpRequestParser(Callbacks())
    parser.feed_data(b"\r\n".join((b"GET / HTTP/1.1", *fields, b"", b"")))
    for key, value in zip(head.pairs[::2], head.pairs[1::2], strict=True):
        if key != b"HTTP_HOST":
            separator = b"; " if key == b"HTTP_COOKIE" else b","
            assert separator.join(seen[key]) == value
