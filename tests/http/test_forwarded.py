"""The header Forwarded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passtwist.http.forwarded import parse_forwarded
from passtwist.http.refusal import Refusal


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        (b"for=192.0.2.60", [{b"for": b"192.0.2.60"}]),
        (
            b"For=192.0.2.60;PROTO=http;by=203.0.113.43",
            [{b"for": b"192.0.2.60", b"proto": b"http", b"by": b"203.0.113.43"}],
        ),
        (
            b'for="_gazonk", for="[2001:db8:cafe::17]:4711"',
            [{b"for": b"_gazonk"}, {b"for": b"[2001:db8:cafe::17]:4711"}],
        ),
        (rb'for="a\"b\\,;c"', [{b"for": b'a"b\\,;c'}]),
        (b'for=""', [{b"for": b""}]),
        (
            b"for=a ; proto=b\t,\tfor=c",
            [{b"for": b"a", b"proto": b"b"}, {b"for": b"c"}],
        ),
        (b",, for=a,,for=b,", [{b"for": b"a"}, {b"for": b"b"}]),
        (b"for=a;", [{b"for": b"a"}]),
        (b"", []),
        (b" , ", []),
    ],
)
def test_each_proxy_says_its_part(value, elements):
    """Quoted or not; the nearest proxy is the last."""
    assert parse_forwarded(value) == elements


@pytest.mark.parametrize(
    "value",
    [
        b'for="',
        b'for=", for=1.2.3.4',
        b'for="a"b',
        b"for",
        b"for=",
        b"=a",
        b"for =a",
        b"for= a",
        b"for=[::1]",
        b"for=a for=b",
        b"for=a;for=b",
        b"for=a;For=b",
        b"for=caf\xe9",
        b'for="a\\',
    ],
)
def test_one_that_is_malformed_is_refused(value):
    """A quote that a client opens must not swallow what the proxy adds."""
    with pytest.raises(Refusal) as caught:
        parse_forwarded(value)
    assert caught.value.status == 400


@given(st.text('for=a";,\\ \t[:]', max_size=40))
def test_whatever_comes_is_parsed_or_refused(text):
    """And what is parsed has no empty elements."""
    try:
        elements = parse_forwarded(text.encode())
    except Refusal:
        return
    assert all(elements)
