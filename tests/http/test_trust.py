"""Whose word counts."""

from __future__ import annotations

import pytest

from passtwist.http.trust import Trust


@pytest.mark.parametrize(
    ("proxies", "address", "trusted"),
    [
        ((), "127.0.0.1", False),
        ((), None, False),
        (("127.0.0.1/32",), "127.0.0.1", True),
        (("127.0.0.1",), "127.0.0.1", True),
        (("127.0.0.1/32",), "127.0.0.2", False),
        (("127.0.0.1/32",), None, False),
        (("10.0.0.0/8", "fd00::/8"), "10.255.0.1", True),
        (("10.0.0.0/8", "fd00::/8"), "fd00::1", True),
        (("10.0.0.0/8", "fd00::/8"), "::1", False),
        (("10.0.0.0/8",), "::ffff:10.0.0.1", True),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("unix",), None, True),
        (("unix",), "127.0.0.1", False),
        (("10.0.0.0/8",), "nonsense", False),
    ],
)
def test_who_is_trusted(proxies, address, trusted):
    """Networks, single addresses, and `unix` for Unix sockets."""
    assert Trust(proxies).trusts(address) is trusted


def test_a_proxy_that_is_no_network_is_an_error():
    """At start, not at the first request."""
    with pytest.raises(ValueError, match="proxy"):
        Trust(("proxy.example",))


@pytest.mark.parametrize(
    ("hops", "value", "client"),
    [
        (1, b"1.1.1.1", b"1.1.1.1"),
        (1, b"6.6.6.6, 1.1.1.1", b"1.1.1.1"),
        (2, b"6.6.6.6, 1.1.1.1, 10.0.0.1", b"1.1.1.1"),
        (3, b"1.1.1.1, 10.0.0.1", b"1.1.1.1"),
        (1, b"2001:DB8::1", b"2001:db8::1"),
        (1, b"[2001:db8::1]:80", b"2001:db8::1"),
        (1, b"1.1.1.1:4000", b"1.1.1.1"),
        (1, b"::ffff:1.1.1.1", b"1.1.1.1"),
        (1, b"unknown", None),
        (1, b"_hidden", None),
        (1, b"1.1.1.1, ", None),
        (1, b"", None),
        (1, b"caf\xe9", None),
    ],
)
def test_the_client_is_so_many_hops_away(hops, value, client):
    """What stands further left was written by the client itself."""
    pairs = [b"HTTP_X_FORWARDED_FOR", value]
    assert Trust((), hops).forwarded(pairs).client == client


def test_several_lines_are_one_list():
    """The last line's last entry is the nearest."""
    pairs = [b"HTTP_X_FORWARDED_FOR", b"6.6.6.6", b"HTTP_X_FORWARDED_FOR", b"1.1.1.1"]
    forwarded = Trust(()).forwarded(pairs)
    assert forwarded.client == b"1.1.1.1"
    assert forwarded.pairs == [b"HTTP_X_FORWARDED_FOR", b"6.6.6.6,1.1.1.1"]


@pytest.mark.parametrize(
    ("pairs", "scheme"),
    [
        ([b"HTTP_X_FORWARDED_PROTO", b"https"], b"https"),
        ([b"HTTP_X_FORWARDED_PROTO", b"HTTP"], b"http"),
        ([b"HTTP_X_FORWARDED_PROTO", b"http, https"], b"https"),
        ([b"HTTP_X_FORWARDED_PROTO", b"gopher"], None),
        ([b"HTTP_X_FORWARDED_SSL", b"on"], b"https"),
        ([b"HTTP_X_FORWARDED_SSL", b"off"], b"http"),
        (
            [b"HTTP_X_FORWARDED_SSL", b"on", b"HTTP_X_FORWARDED_PROTO", b"https"],
            b"https",
        ),
        ([], None),
    ],
)
def test_the_scheme(pairs, scheme):
    """As the nearest trusted proxy says."""
    assert Trust(()).forwarded(pairs).scheme == scheme


@pytest.mark.parametrize(
    ("value", "request_id"),
    [
        (b"0af7-6519", b"0af7-6519"),
        (b"a b", None),
        (b'"><script>', None),
        (b"x" * 128, b"x" * 128),
        (b"x" * 129, None),
        (b"", None),
    ],
)
def test_a_request_id_is_taken_over_when_it_is_one(value, request_id):
    """It goes into headers, pages and logs."""
    forwarded = Trust(()).forwarded([b"HTTP_X_REQUEST_ID", value])
    assert (forwarded.request_id, forwarded.pairs) == (request_id, [])
