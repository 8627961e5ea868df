"""Requests to workers that speak HTTP, as another implementation reads them."""

from __future__ import annotations

import h11
import pytest

from passtwist.errors import ForgedEnviron
from passtwist.wire.http_requests import encode_request_head

VARIABLES = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "/shop",
    "PATH_INFO": "/a b",
    "QUERY_STRING": "c=d",
    "REQUEST_URI": "/shop/a%20b?c=d",
    "SERVER_PROTOCOL": "HTTP/1.0",
    "SERVER_NAME": "192.0.2.1",
    "REMOTE_ADDR": "198.51.100.7",
    "wsgi.url_scheme": "https",
    "HTTP_X_REQUEST_ID": "id-1",
    "HTTP_HOST": "shop.example.org:8443",
}
FORWARDED = [
    (b"x-forwarded-for", b"198.51.100.7"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"shop.example.org:8443"),
]


def pairs(**changes):
    """CGI pairs; None takes one away."""
    variables = {key: value for key, value in {**VARIABLES, **changes}.items() if value}
    return [text.encode("latin-1") for pair in variables.items() for text in pair]


def understood(head, body=b""):
    """Method, target, version and headers, as h11 has them."""
    worker = h11.Connection(h11.SERVER)
    worker.receive_data(head + body)
    request = worker.next_event()
    assert isinstance(request, h11.Request), request
    received = b""
    while isinstance(event := worker.next_event(), h11.Data):
        received += bytes(event.data)
    assert (received, type(event)) == (body, h11.EndOfMessage)
    return (
        request.method,
        request.target,
        request.http_version,
        list(request.headers),
    )


def test_a_request_says_what_its_variables_say():
    """In HTTP/1.1, whatever the client speaks; the target is as it came."""
    method, target, version, headers = understood(encode_request_head(pairs()))
    assert (method, target, version) == (b"GET", b"/shop/a%20b?c=d", b"1.1")
    assert headers == [
        (b"host", b"shop.example.org:8443"),
        (b"x-request-id", b"id-1"),
        *FORWARDED,
    ]


def test_a_body_has_its_length_and_its_type():
    """The length is that of what is sent, whatever a variable says."""
    head = encode_request_head(
        pairs(REQUEST_METHOD="POST", CONTENT_TYPE="text/plain", CONTENT_LENGTH="7"), 5
    )
    *_, headers = understood(head, b"hello")
    assert headers == [
        (b"host", b"shop.example.org:8443"),
        (b"x-request-id", b"id-1"),
        (b"content-type", b"text/plain"),
        (b"content-length", b"5"),
        *FORWARDED,
    ]


def test_what_is_for_one_hop_ends_here():
    """And what a trusted proxy has said is said anew, as it was understood."""
    ours = pairs(
        HTTP_CONNECTION="close",
        HTTP_KEEP_ALIVE="5",
        HTTP_TE="trailers",
        HTTP_TRAILER="x",
        HTTP_TRANSFER_ENCODING="chunked",
        HTTP_UPGRADE="websocket",
        HTTP_EXPECT="100-continue",
        HTTP_PROXY="http://evil.example",
        HTTP_PROXY_AUTHORIZATION="secret",
        HTTP_CONTENT_LENGTH="5",
        HTTP_X_FORWARDED_FOR="203.0.113.1, 198.51.100.7",
        HTTP_X_FORWARDED_PROTO="http",
        HTTP_X_FORWARDED_HOST="evil.example",
        HTTP_X_FORWARDED_SSL="off",
        HTTP_COOKIE="a=b; c=d",
    )
    *_, headers = understood(encode_request_head(ours))
    assert headers == [
        (b"host", b"shop.example.org:8443"),
        (b"x-request-id", b"id-1"),
        (b"cookie", b"a=b; c=d"),
        *FORWARDED,
    ]


def test_an_upgrade_is_asked_for_in_our_own_words():
    """Only the protocol that the worker takes."""
    *_, headers = understood(encode_request_head(pairs(), upgrade=b"websocket"))
    assert headers[2:4] == [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]


def test_a_client_without_an_address_or_a_host_is_asked_for_all_the_same():
    """One at a Unix socket has none; HTTP/1.0 knows no Host."""
    *_, headers = understood(
        encode_request_head(pairs(REMOTE_ADDR=None, HTTP_HOST=None))
    )
    assert headers == [
        (b"host", b"192.0.2.1"),
        (b"x-request-id", b"id-1"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"192.0.2.1"),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"HTTP_A": "b\r\nEvil: c"},
        {"HTTP_A": "b\nc"},
        {"HTTP_A\r\nEvil": "c"},
        {"HTTP_A": "b\0"},
        {"REQUEST_URI": "/ HTTP/1.1\r\nEvil: "},
        {"REQUEST_URI": "/a b"},
        {"REQUEST_METHOD": "GET /evil"},
        {"CONTENT_TYPE": "a\r\nb"},
        {"REMOTE_ADDR": "a\nb"},
    ],
)
def test_a_variable_can_not_forge_a_line(changes):
    """The front end has let none of these through; a plugin may have."""
    with pytest.raises(ForgedEnviron):
        encode_request_head(pairs(**changes))


def test_names_of_clients_are_not_remembered_for_ever():
    """Each name is made by a client, and there is no end of names."""
    from passtwist.wire import http_requests

    for number in range(3000):
        encode_request_head(pairs(**{f"HTTP_X_{number}": "a"}))
    assert len(http_requests._names) <= http_requests._KNOWN_NAMES
    head = encode_request_head(pairs(**{"HTTP_" + "X" * 8000: "a"}))
    assert b"\r\nX" + b"x" * 7999 + b": a\r\n" in head
    assert max(map(len, http_requests._names)) < 100
