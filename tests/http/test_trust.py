"""Whose word counts."""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from passtwist.http.config import FrontEndConfig
from passtwist.http.refusal import Refusal
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


def test_what_was_read_once_is_remembered_without_the_request_s_id():
    """Each request has its own; and there is an end to what is remembered."""
    trust = Trust(())
    ids = []
    for number in range(3000):
        pairs = [
            *(b"HTTP_X_FORWARDED_FOR", b"10.0.%d.1" % (number % 250)),
            *(b"HTTP_X_REQUEST_ID", b"%d" % number),
            *(b"HTTP_X_FORWARDED_HOST", b"%d" % (number % 2000)),
        ]
        found = trust.forwarded(pairs)
        assert found.client == b"10.0.%d.1" % (number % 250)
        assert b"HTTP_X_REQUEST_ID" not in found.pairs
        ids.append(found.request_id)
    assert ids == [b"%d" % number for number in range(3000)]
    assert len(trust._known) <= 1024
    assert trust.forwarded(pairs[:2] + pairs[4:]).request_id is None


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
    "pairs",
    [
        [b"HTTP_X_FORWARDED_PROTO", b"https", b"HTTP_X_FORWARDED_SSL", b"off"],
        [b"HTTP_X_FORWARDED_PROTO", b"http", b"HTTP_X_FORWARDED_SSL", b"on"],
        [b"HTTP_X_FORWARDED_PROTO", b"gopher", b"HTTP_X_FORWARDED_SSL", b"on"],
    ],
)
def test_a_proxy_that_names_two_schemes_is_refused(pairs):
    """One of the two is the client's own invention; which one is not known."""
    with pytest.raises(Refusal) as caught:
        Trust(()).forwarded(pairs)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("hops", "value", "client", "scheme"),
    [
        (1, b"for=1.1.1.1;proto=https", b"1.1.1.1", b"https"),
        (1, b"for=6.6.6.6;proto=https, for=1.1.1.1", b"1.1.1.1", None),
        (2, b"for=6.6.6.6, for=1.1.1.1;proto=HTTP, for=10.0.0.1", b"1.1.1.1", b"http"),
        (3, b"for=1.1.1.1, for=10.0.0.1", b"1.1.1.1", None),
        (1, b'for="[2001:DB8::1]:4711"', b"2001:db8::1", None),
        (1, b'for="192.0.2.43:47011"', b"192.0.2.43", None),
        (1, b"for=unknown", None, None),
        (1, b"for=_hidden;proto=gopher", None, None),
        (1, b"by=203.0.113.43", None, None),
        (1, b",", None, None),
    ],
)
def test_forwarded_counts_where_proxies_write_it(hops, value, client, scheme):
    """And then nothing else does, nor does anything else reach the app."""
    trust = Trust((), hops, "forwarded")
    pairs = [
        *(b"HTTP_X_FORWARDED_FOR", b"6.6.6.6"),
        *(b"HTTP_X_FORWARDED_PROTO", b"https"),
        *(b"HTTP_X_FORWARDED_SSL", b"off"),
        *(b"HTTP_FORWARDED", value),
    ]
    found = trust.forwarded(pairs)
    assert (found.client, found.scheme) == (client, scheme)
    assert found.pairs == [b"HTTP_FORWARDED", value]
    without = trust.forwarded(pairs[:-2])
    assert (without.client, without.scheme, without.pairs) == (None, None, [])


def test_forwarded_does_not_count_where_proxies_do_not_write_it():
    """They hand it through as the client has sent it, however malformed."""
    pairs = [b"HTTP_FORWARDED", b'for="', b"HTTP_X_FORWARDED_FOR", b"1.1.1.1"]
    found = Trust(()).forwarded(pairs)
    assert found.client == b"1.1.1.1"
    assert found.pairs == [b"HTTP_X_FORWARDED_FOR", b"1.1.1.1"]


PROXY = IPv4Address("TCP", "10.0.0.9", 40000)
SPOKEN = (
    b"GET / HTTP/1.1\r\nHost: shop.example\r\nForwarded: for=6.6.6.6\r\n"
    b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Host: evil.example\r\n"
    b"X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n"
    b"X-Forwarded-Prefix: /evil\r\nX-Forwarded-By: me\r\nX-Forwarded-Ssl: on\r\n"
    b"X-Real-IP: 6.6.6.6\r\nX-Request-Id: abc-1\r\nProxy: http://6.6.6.6/\r\n"
    b"X_Forwarded_For: 6.6.6.6\r\nX-Forwarded.Proto: https\r\n"
    b"Passtwist-User: root\r\nX-Passtwist-User: root\r\nX-Other: 1\r\n\r\n"
)
CONCERNED = ("REMOTE", "wsgi.url", "HTTPS", "HTTP_", "SERVER_N", "SCRIPT")


def told_to_app(bench, config, peer):
    """What the app learns of a request that says everything of itself."""
    bench.answers()
    bench.configure(config=config)
    bench.connect(peer).send(SPOKEN)
    environ = bench.pool.last.environ
    return {key: environ[key] for key in environ if key.startswith(CONCERNED)}


def test_strangers_speak_for_nobody_but_themselves(bench):
    """Nothing of what they say about themselves reaches the app."""
    config = FrontEndConfig(trusted_proxies=("10.0.0.0/8",))
    told = told_to_app(bench, config, IPv4Address("TCP", "192.0.2.7", 40000))
    assert told.pop("HTTP_X_REQUEST_ID") == "id-1"
    assert told == {
        "REMOTE_ADDR": "192.0.2.7",
        "REMOTE_PORT": "40000",
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "shop.example",
        "HTTP_X_OTHER": "1",
        "SERVER_NAME": "127.0.0.1",
        "SCRIPT_NAME": "",
    }
    assert bench.front.counters.unsafe_names == 2


def test_a_trusted_proxy_speaks_for_its_client(bench):
    """Address and scheme count; host and prefix are the app's to believe."""
    config = FrontEndConfig(trusted_proxies=("10.0.0.0/8",))
    assert told_to_app(bench, config, PROXY) == {
        "REMOTE_ADDR": "203.0.113.9",
        "REMOTE_PORT": "0",
        "wsgi.url_scheme": "https",
        "HTTPS": "on",
        "HTTP_HOST": "shop.example",
        "HTTP_X_FORWARDED_FOR": "203.0.113.9",
        "HTTP_X_FORWARDED_HOST": "evil.example",
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_X_FORWARDED_PORT": "443",
        "HTTP_X_FORWARDED_PREFIX": "/evil",
        "HTTP_X_FORWARDED_BY": "me",
        "HTTP_X_FORWARDED_SSL": "on",
        "HTTP_X_REAL_IP": "6.6.6.6",
        "HTTP_X_REQUEST_ID": "abc-1",
        "HTTP_X_OTHER": "1",
        "SERVER_NAME": "127.0.0.1",
        "SCRIPT_NAME": "",
    }


def test_a_proxy_on_a_unix_socket_is_trusted_by_name(bench):
    """There is no address; without a word of the proxy's it stays empty."""
    config = FrontEndConfig(trusted_proxies=("unix",), proxy_headers="forwarded")
    told = told_to_app(bench, config, UNIXAddress(None))
    assert (told["REMOTE_ADDR"], told["HTTP_FORWARDED"]) == ("6.6.6.6", "for=6.6.6.6")
    assert "HTTP_X_FORWARDED_FOR" not in told
    bench.connect(UNIXAddress(None)).send(b"GET / HTTP/1.0\r\n\r\n")
    environ = bench.pool.last.environ
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("", "")


@pytest.mark.parametrize(("scheme", "port"), [(b"http", "80"), (b"https", "443")])
def test_where_there_is_no_port_that_of_the_scheme_is_told(bench, scheme, port):
    """On a Unix socket, with what a proxy says of it."""
    bench.answers()
    bench.configure(config=FrontEndConfig(trusted_proxies=("unix",)))
    client = bench.connect(UNIXAddress(None))
    client.transport.hostAddr = UNIXAddress(None)
    client.send(b"GET / HTTP/1.0\r\nX-Forwarded-Proto: %b\r\n\r\n" % scheme)
    assert bench.pool.last.environ["SERVER_PORT"] == port


def test_a_client_of_ipv4_is_one_where_both_are_listened_for(bench):
    bench.answers()
    bench.configure(config=FrontEndConfig(trusted_proxies=("10.0.0.0/8",)))
    bench.connect(IPv6Address("TCP", "::ffff:10.0.0.9", 5)).send(SPOKEN)
    assert bench.pool.last.environ["REMOTE_ADDR"] == "203.0.113.9"
    bench.connect(IPv6Address("TCP", "::ffff:192.0.2.7", 5)).send(SPOKEN)
    assert bench.pool.last.environ["REMOTE_ADDR"] == "192.0.2.7"
    bench.connect(IPv6Address("TCP", "2001:db8::1", 5)).send(SPOKEN)
    assert bench.pool.last.environ["REMOTE_ADDR"] == "2001:db8::1"


def test_two_schemes_are_400_and_the_app_is_not_asked(bench):
    bench.configure(config=FrontEndConfig(trusted_proxies=("10.0.0.0/8",)))
    client = bench.connect(PROXY)
    answer = client.send(SPOKEN.replace(b"Ssl: on", b"Ssl: off"))
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert client.closed
    assert bench.pool.sessions == []


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
