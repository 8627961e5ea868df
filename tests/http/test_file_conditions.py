"""Conditional requests and ranges, as RFC 9110 has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passtwist.http.files.accepted_codings import codings_for
from passtwist.http.files.conditions import Part, Validators, outcome, part_of
from passtwist.http.files.types import type_of

DAY = b"Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = b"Sun, 06 Nov 1994 08:49:36 GMT"
AFTER = b"Mon, 07 Nov 1994 08:49:37 GMT"
NOW = Validators(b'"5-a"', DAY)
WEAK = Validators(b'W/"5-a"', DAY)

OUTCOMES = [
    ({}, 200),
    ({"NONE_MATCH": b'"5-a"'}, 304),
    ({"NONE_MATCH": b'W/"5-a"'}, 304),
    ({"NONE_MATCH": b'"x", W/"5-a" , "y"'}, 304),
    ({"NONE_MATCH": b"*"}, 304),
    ({"NONE_MATCH": b'"x"'}, 200),
    ({"NONE_MATCH": b"5-a"}, 200),
    ({"NONE_MATCH": b'"x", "5-a'}, 200),
    ({"NONE_MATCH": b""}, 200),
    ({"MODIFIED_SINCE": DAY}, 304),
    ({"MODIFIED_SINCE": AFTER}, 304),
    ({"MODIFIED_SINCE": BEFORE}, 200),
    # The other two forms that a recipient has to know (RFC 9110, 5.6.7).
    ({"MODIFIED_SINCE": b"Sunday, 06-Nov-94 08:49:37 GMT"}, 304),
    ({"MODIFIED_SINCE": b"Sun Nov  6 08:49:36 1994"}, 200),
    ({"MODIFIED_SINCE": b"yesterday"}, 200),
    ({"MODIFIED_SINCE": b"Sun, 99 Nov 1994 99:99:99 GMT"}, 304),
    ({"MODIFIED_SINCE": b"9" * 65}, 200),
    # If-None-Match is the better one; the date does not count beside it.
    ({"NONE_MATCH": b'"x"', "MODIFIED_SINCE": AFTER}, 200),
    ({"NONE_MATCH": b'"5-a"', "MODIFIED_SINCE": BEFORE}, 304),
    ({"MATCH": b'"5-a"'}, 200),
    ({"MATCH": b"*"}, 200),
    ({"MATCH": b'W/"5-a"'}, 412),
    ({"MATCH": b'"x"'}, 412),
    ({"MATCH": b'"5-a"', "NONE_MATCH": b'"5-a"'}, 304),
    ({"UNMODIFIED_SINCE": DAY}, 200),
    ({"UNMODIFIED_SINCE": BEFORE}, 412),
    ({"UNMODIFIED_SINCE": b"never"}, 200),
    ({"MATCH": b'"5-a"', "UNMODIFIED_SINCE": BEFORE}, 200),
]


def cgi(headers):
    return {b"HTTP_IF_" + name.encode(): value for name, value in headers.items()}


@pytest.mark.parametrize(("headers", "status"), OUTCOMES)
def test_conditions_are_looked_at_in_the_order_of_the_rfc(headers, status):
    """RFC 9110, 13.2.2."""
    assert outcome(cgi(headers), NOW) == status


def test_a_weak_tag_is_enough_to_save_a_transfer_and_for_nothing_else():
    """An app may send one with its file."""
    assert outcome(cgi({"NONE_MATCH": b'"5-a"'}), WEAK) == 304
    assert outcome(cgi({"MATCH": b'W/"5-a"'}), WEAK) == 412


@given(st.binary(max_size=70))
def test_no_date_and_no_tag_is_too_strange(value):
    """Whatever a client writes, there is an answer."""
    for name in ("NONE_MATCH", "MODIFIED_SINCE", "MATCH", "UNMODIFIED_SINCE"):
        assert outcome(cgi({name: value}), NOW) in (200, 304, 412)


PARTS = [
    (b"bytes=0-0", Part(0, 1, False)),
    (b"bytes=0-9", Part(0, 10, False)),
    (b"bytes=2-4", Part(2, 3, False)),
    (b"bytes=9-", Part(9, 1, False)),
    (b"bytes=0-", Part(0, 10, False)),
    (b"bytes=5-99999999999999999", Part(5, 5, False)),
    (b"bytes=-3", Part(7, 3, False)),
    (b"bytes=-30", Part(0, 10, False)),
    (b"Bytes= 2-4 ", Part(2, 3, False)),
    (b"bytes=10-", None),
    (b"bytes=10-12", None),
    (b"bytes=-0", None),
    # Several at once, and what can't be read: the whole.
    (b"bytes=0-1,3-4", Part(0, 10, True)),
    (b"bytes=4-2", Part(0, 10, True)),
    (b"bytes=-", Part(0, 10, True)),
    (b"bytes=a-b", Part(0, 10, True)),
    (b"bytes=+1-2", Part(0, 10, True)),
    (b"lines=0-1", Part(0, 10, True)),
    (b"bytes=" + b"9" * 20 + b"-", Part(0, 10, True)),
    (b"", Part(0, 10, True)),
]


@pytest.mark.parametrize(("value", "part"), PARTS)
def test_a_single_range_is_a_part(value, part):
    """Of ten bytes."""
    assert part_of({b"HTTP_RANGE": value}, NOW, 10) == part


@pytest.mark.parametrize(
    ("if_range", "counts"),
    [
        (b'"5-a"', True),
        (DAY, True),
        (b'W/"5-a"', False),
        (b'"x"', False),
        (BEFORE, False),
        (AFTER, False),
        (b"", False),
    ],
)
def test_a_range_counts_only_for_the_file_that_the_client_has_a_part_of(
    if_range, counts
):
    """If-Range: else it gets the whole."""
    headers = {b"HTTP_RANGE": b"bytes=2-4", b"HTTP_IF_RANGE": if_range}
    assert part_of(headers, NOW, 10) == (
        Part(2, 3, False) if counts else Part(0, 10, True)
    )


def test_an_empty_file_has_no_part():
    """Not even its beginning."""
    assert part_of({b"HTTP_RANGE": b"bytes=0-"}, NOW, 0) is None
    assert part_of({}, NOW, 0) == Part(0, 0, True)


WISHES = {
    b"": "",
    b"gzip": "gzip",
    b"gzip, deflate, br": "br gzip",
    b"GZIP;q=1.0, BR;q=0.5": "gzip br",
    b"br;q=0, gzip": "gzip",
    b"*": "br gzip",
    b"*;q=0.1, br;q=0": "gzip",
    b"identity": "",
    b"identity;q=0.5, gzip": "gzip",
    b"identity, gzip;q=0.5": "",
    b"x-gzip": "gzip",
    b"gzip ; q=0.001": "gzip",
    b"gzip;q=0.0001": "",
    b"gzip;q=2": "",
    b"gzip;q=nan": "",
    b"gzip;quality=1": "",
    b"gzip;q=0, gzip": "",
    b",,;q=1,": "",
}


def test_a_compressed_copy_is_looked_for_as_the_client_would_like():
    """The better one first when it is all the same."""
    found = {
        value: " ".join(coding.name.decode() for coding in codings_for(value))
        for value in WISHES
    }
    assert found == WISHES


@pytest.mark.parametrize(
    ("name", "line", "compressible"),
    [
        (b"site.css", b"text/css; charset=utf-8", True),
        (b"APP.JS", b"text/javascript; charset=utf-8", True),
        (b"page.html", b"text/html; charset=utf-8", True),
        (b"logo.svg", b"image/svg+xml", True),
        (b"photo.jpeg", b"image/jpeg", False),
        (b"a.tar.gz", b"application/gzip", False),
        (b"README", b"application/octet-stream", False),
        (b"x.\xff", b"application/octet-stream", False),
        (b"module.wasm", b"application/wasm", True),
    ],
)
def test_the_end_of_a_name_tells_the_type(name, line, compressible):
    """By a table of our own, the same on every machine."""
    found = type_of(name)
    assert found.line == b"Content-Type: " + line + b"\r\n"
    assert found.compressible == compressible
