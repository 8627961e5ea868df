"""The head scanner: what it makes of a head that is right, its limits and caches.

What is wrong is in `tests.http.requirements`.  Every case is also fed split at every
byte, one byte at a time, and to a scanner that has seen the same lines before.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from passtwist.http.config import HttpLimits
from passtwist.http.parsing.scanner import HeadScanner
from passtwist.http.refusal import Refusal

LIMITS = HttpLimits()


def outcome(scanner: HeadScanner, *pieces: bytes):
    """Feed *pieces*: the head, None when it is unfinished, or the refusal's status."""
    buffer, searched = b"", 0
    for piece in pieces:
        buffer += piece
        try:
            head = scanner.scan(buffer, searched)
        except Refusal as refusal:
            assert refusal.close
            return refusal.status
        if head is not None:
            return head
        searched = len(buffer)
    return None


def described(head) -> object:
    """What of a head can be compared."""
    if head is None or isinstance(head, int):
        return head
    return {name: getattr(head, name) for name in head.__slots__ if name != "end"}


def scan_every_way(data: bytes, limits: HttpLimits = LIMITS):
    """The outcome of *data*, however it is split."""
    whole = outcome(HeadScanner(limits), data)
    wanted = described(whole)
    knowing = HeadScanner(limits)
    for cut in range(1, len(data)):
        pieces = (data[:cut], data[cut:])
        assert described(outcome(knowing, *pieces)) == wanted, pieces
    bytewise = [data[i : i + 1] for i in range(len(data))]
    assert described(outcome(HeadScanner(limits), *bytewise)) == wanted
    return whole


def request(line: bytes = b"GET / HTTP/1.1", *headers: bytes) -> bytes:
    """A request with a Host, if it is not among *headers*."""
    if not any(header.lower().startswith(b"host") for header in headers):
        headers = (b"Host: a", *headers)
    return b"\r\n".join((line, *headers, b"", b""))


def pairs_of(head) -> dict[bytes, bytes]:
    return dict(zip(head.pairs[::2], head.pairs[1::2], strict=True))


def test_a_plain_request_is_taken_apart():
    """Method, target, path, query, host and headers are where they belong."""
    data = request(
        b"get /a%20b//c/../d?x=%20y?z HTTP/1.1",
        b"Host: Shop.Example:8080",
        b"Accept:*/*",
        b"X-Empty:",
        b"Content-Type: \t text/plain \t",
        b"X-Latin: caf\xe9",
    )
    head = scan_every_way(data)
    assert head.line == (
        b"get",
        b"/a%20b//c/../d?x=%20y?z",
        True,
        b"/a%20b//c/../d?x=%20y?z",
        b"/a b//c/../d",
        b"x=%20y?z",
        None,
    )
    assert pairs_of(head) == {
        b"HTTP_HOST": b"Shop.Example:8080",
        b"HTTP_ACCEPT": b"*/*",
        b"HTTP_X_EMPTY": b"",
        b"CONTENT_TYPE": b"text/plain",
        b"HTTP_X_LATIN": b"caf\xe9",
    }
    assert (head.host, head.end) == (b"Shop.Example:8080", len(data))
    assert (head.keep_alive, head.content_length, head.chunked) == (True, None, False)


@pytest.mark.parametrize(
    "host",
    [
        b"a",
        b"a.",
        b"a:",
        b"a:80",
        b"127.0.0.1:8080",
        b"[::1]",
        b"[2001:db8::1]:443",
        b"my_service",
        b"a-b.c~d",
        b"xn--caf-dma.example",
    ],
)
def test_any_proper_host_is_accepted(host):
    """Names, addresses, ports, an empty port."""
    assert scan_every_way(request(b"GET / HTTP/1.1", b"Host: " + host)).host == host


def test_later_minor_versions_are_read_as_11():
    """R03: HTTP/1.2 is a 1.1 that can do more."""
    assert scan_every_way(request(b"GET / HTTP/1.2")).http11


def test_http10_needs_no_host_and_does_not_persist():
    """R12, R32: a request without Host is fine in HTTP/1.0 only."""
    head = scan_every_way(b"GET / HTTP/1.0\r\n\r\n")
    assert (head.host, head.http11, head.keep_alive, head.pairs) == (
        None,
        False,
        False,
        [],
    )


def test_one_empty_line_before_a_request_is_forgiven():
    """R04."""
    data = b"\r\n" + request(b"GET /x HTTP/1.1")
    head = scan_every_way(data)
    assert (head.line.path, head.end) == (b"/x", len(data))


def test_what_follows_the_head_is_not_looked_at():
    """The body begins where the head ends, whatever bytes it is made of."""
    data = request(b"POST / HTTP/1.1", b"Content-Length: 3")
    assert outcome(HeadScanner(LIMITS), data + b"\n\0\r\n\r\n").end == len(data)


@pytest.mark.parametrize(
    ("target", "uri", "path", "query", "host"),
    [
        (b"http://b/x?y", b"/x?y", b"/x", b"y", b"b"),
        (b"HTTPS://B:1/x", b"/x", b"/x", b"", b"B:1"),
        (b"http://b", b"/", b"/", b"", b"b"),
        (b"http://b?y", b"/?y", b"/", b"y", b"b"),
        (b"http://[::1]/", b"/", b"/", b"", b"[::1]"),
    ],
)
def test_an_absolute_target_replaces_the_host(target, uri, path, query, host):
    """R13: the authority of the target counts, whatever Host says."""
    head = scan_every_way(request(b"GET " + target + b" HTTP/1.1", b"Host: a"))
    assert (head.line.uri, head.line.path, head.line.query) == (uri, path, query)
    assert (head.host, pairs_of(head)) == (host, {b"HTTP_HOST": host})


def test_options_may_ask_for_the_server_as_a_whole():
    """R14."""
    assert scan_every_way(request(b"OPTIONS * HTTP/1.1")).line.path == b"*"


def test_characters_that_clients_forget_to_escape_are_accepted():
    r"""Not in RFC 3986, but sent: none of them is turned into another."""
    path = b"/\"<>\\^{}|`'[]"
    head = scan_every_way(request(b"GET " + path + b" HTTP/1.1"))
    assert head.line.path == path


def test_a_path_is_decoded_once():
    """R48: a decoded percent sign is not decoded again; a broken escape stays."""
    head = scan_every_way(request(b"GET /%2525/%zz/%e9%2F%0a HTTP/1.1"))
    assert head.line.path == b"/%25/%zz/\xe9/\n"


@pytest.mark.parametrize(
    ("value", "length"),
    [
        (b"0", 0),
        (b"5", 5),
        (b"007", 7),
        (b"0" * 40, 0),
        (b"9223372036854775807", 2**63 - 1),
    ],
)
def test_a_content_length_is_decimal(value, length):
    """R18: leading zeros are only digits."""
    head = scan_every_way(request(b"POST / HTTP/1.1", b"Content-Length: " + value))
    assert (head.content_length, head.chunked) == (length, False)


@pytest.mark.parametrize("value", [b"chunked", b"Chunked", b" CHUNKED\t"])
def test_chunked_is_understood(value):
    """R22: codings are not case-sensitive; the header does not reach the app."""
    head = scan_every_way(request(b"POST / HTTP/1.1", b"Transfer-Encoding:" + value))
    assert (head.chunked, head.content_length, pairs_of(head)) == (
        True,
        None,
        {b"HTTP_HOST": b"a"},
    )


@pytest.mark.parametrize(
    ("line", "headers", "expected"),
    [
        (b"GET / HTTP/1.1", [b"Expect: 100-continue"], True),
        (b"GET / HTTP/1.1", [b"Expect: 100-Continue"], True),
        (b"GET / HTTP/1.1", [], False),
        (b"GET / HTTP/1.0", [b"Expect: 100-continue"], False),
        (b"GET / HTTP/1.0", [b"Expect: whatever"], False),
    ],
)
def test_expectations(line, headers, expected):
    """R30: ignored in HTTP/1.0."""
    assert scan_every_way(request(line, *headers)).expects_continue is expected


@pytest.mark.parametrize(
    ("version", "headers", "kept"),
    [
        (b"1.1", [], True),
        (b"1.1", [b"Connection: keep-alive"], True),
        (b"1.1", [b"Connection: close"], False),
        (b"1.1", [b"Connection: Close"], False),
        (b"1.1", [b"Connection: close, TE"], False),
        (b"1.1", [b"Connection: TE,close"], False),
        (b"1.1", [b"Connection: keep-alive", b"Connection: close"], False),
        (b"1.1", [b"Connection: keep-alive, close"], False),
        (b"1.1", [b"Connection: closed"], True),
        (b"1.0", [], False),
        (b"1.0", [b"Connection: Keep-Alive"], True),
        (b"1.0", [b"Connection: TE, keep-alive"], True),
        (b"1.0", [b"Connection: keep-alive, close"], False),
    ],
)
def test_connection_is_a_list(version, headers, kept):
    """R31, R32: tokens between commas, over all lines, in any case."""
    head = scan_every_way(request(b"GET / HTTP/" + version, *headers))
    assert head.keep_alive is kept


def test_headers_for_one_hop_end_here():
    """R40: those that are always, and those that Connection names."""
    head = scan_every_way(
        request(
            b"GET / HTTP/1.1",
            b"Connection: X-Mine, close",
            b"X-Mine: 1",
            b"Keep-Alive: 5",
            b"TE: trailers",
            b"Trailer: X",
            b"Upgrade: websocket",
            b"Proxy-Authorization: Basic eA==",
            b"Proxy-Connection: keep-alive",
            b"Proxy: http://evil/",
            b"X-Passtwist-Anything: 1",
            b"X-Kept: 2",
        )
    )
    assert pairs_of(head) == {b"HTTP_HOST": b"a", b"HTTP_X_KEPT": b"2"}


def test_what_a_proxy_relies_on_can_not_be_named_away():
    """R40: naming these in Connection is an attack, and is ignored."""
    head = scan_every_way(
        request(
            b"POST / HTTP/1.1",
            b"Connection: Host, Content-Length, X-Forwarded-For, Cookie, Authorization",
            b"Content-Length: 5",
            b"X-Forwarded-For: 10.0.0.1",
            b"Cookie: a=b",
            b"Authorization: Basic eA==",
        )
    )
    assert pairs_of(head) == {
        b"HTTP_HOST": b"a",
        b"HTTP_COOKIE": b"a=b",
        b"HTTP_AUTHORIZATION": b"Basic eA==",
    }
    assert head.content_length == 5
    assert head.forwarding == [b"HTTP_X_FORWARDED_FOR", b"10.0.0.1"]


def test_names_that_could_be_taken_for_others_are_dropped_and_counted():
    """`X_Forwarded_For` would be HTTP_X_FORWARDED_FOR to an app."""
    head = scan_every_way(
        request(
            b"GET / HTTP/1.1", b"X_Forwarded_For: 1", b"Content_Length: 5", b"X.Y: 1"
        )
    )
    assert (pairs_of(head), head.unsafe_names) == ({b"HTTP_HOST": b"a"}, 3)


def test_several_lines_of_a_header_are_one_list():
    """Joined with commas, cookies with semicolons; names in any case."""
    head = scan_every_way(
        request(
            b"GET / HTTP/1.1",
            b"Accept: a",
            b"Cookie: a=1",
            b"accept: b",
            b"COOKIE: b=2",
            b"Accept: c",
        )
    )
    assert pairs_of(head) == {
        b"HTTP_HOST": b"a",
        b"HTTP_ACCEPT": b"a,b,c",
        b"HTTP_COOKIE": b"a=1; b=2",
    }


SMALL = replace(
    LIMITS,
    max_request_line=40,
    max_header_fields=3,
    max_header_field=30,
    max_header_bytes=70,
)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request(b"GET /" + b"x" * 26 + b" HTTP/1.1"), None),
        (request(b"GET /" + b"x" * 27 + b" HTTP/1.1"), 414),
        (b"GET /" + b"x" * 60, 414),
        (request(b"GET / HTTP/1.1", b"A: 1", b"B: 2"), None),
        (request(b"GET / HTTP/1.1", b"A: 1", b"B: 2", b"C: 3"), 431),
        (request(b"GET / HTTP/1.1", b"A: " + b"x" * 27), None),
        (request(b"GET / HTTP/1.1", b"A: " + b"x" * 28), 431),
        (request(b"GET / HTTP/1.1", b"A: " + b"x" * 27, b"B: " + b"x" * 27), 431),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 80, 431),
    ],
)
def test_limits(data, status):
    """R16, R17: up to the limit all is well, one byte more is too much."""
    result = scan_every_way(data, SMALL)
    assert result == status or (status is None and result.line.method == b"GET")


def test_a_request_line_of_8000_bytes_is_supported():
    """R16, as RFC 9112 recommends."""
    head = outcome(HeadScanner(LIMITS), request(b"GET /" + b"x" * 8000 + b" HTTP/1.1"))
    assert len(head.line.path) == 8001


def test_the_caches_stay_small():
    """Lines and heads that never come again, or once again, do not pile up."""
    scanner = HeadScanner(LIMITS)
    for number in range(10_000):
        data = request(b"GET /%d HTTP/1.1" % number, b"X: %d" % number)
        outcome(scanner, data)
        outcome(scanner, data)
    assert len(scanner._known_lines) <= 4096
    assert len(scanner._known_fields) <= 4096
    assert len(scanner._known_heads) <= 1024


def test_secrets_are_not_kept_in_the_cache():
    """Cookies and credentials are nobody's business but the app's."""
    scanner = HeadScanner(LIMITS)
    for secret in (b"Cookie: a=b", b"authorization: Basic eA=="):
        for _ in range(3):
            outcome(scanner, request(b"GET / HTTP/1.1", secret))
    assert list(scanner._known_fields) == [b"Host: a"]
    assert not scanner._known_heads


def test_a_head_that_comes_again_is_read_once():
    """All of it is the same then, also where it ends; a byte more is another head."""
    scanner = HeadScanner(LIMITS)
    data = b"\r\n" + request(b"POST /?a HTTP/1.1", b"X_Y: 1", b"Content-Length: 3")
    first, second, third = (outcome(scanner, data + b"abc") for _ in range(3))
    assert described(first) == described(second)
    assert (second is third, third.end) == (True, len(data))
    other = outcome(scanner, data.replace(b"X_Y: 1", b"X_Y: 1 "))
    assert (other is third, other.end) == (False, len(data) + 1)
