"""The request by which a new worker shows that it can serve.

Runs in: the controller.  Pure.  Made as any client's is: the head goes through
the scanner, and the app sees the same variables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.address import IPv4Address

from passtwist.http.config import HttpLimits
from passtwist.http.environ import Origin, request_pairs
from passtwist.http.parsing.scanner import HeadScanner
from passtwist.http.request import Request
from passtwist.http.trust import Trust

if TYPE_CHECKING:
    from passtwist.api.settings import AppSettings

USER_AGENT = b"passtwist health check"
_HERE = IPv4Address("TCP", "127.0.0.1", 80)


def health_request(app: AppSettings) -> Request:
    """GET of the app's `health_check`, below its base URI.

    :raises Refusal: no client could ask for that.
    """
    script_name = app.base_uri.rstrip("/").encode()
    target = script_name + app.health_check.encode("ascii")
    head = HeadScanner(HttpLimits()).scan(
        b"GET %b HTTP/1.1\r\nHost: %b\r\nUser-Agent: %b\r\nAccept: */*\r\n\r\n"
        % (target, _host(app).encode("idna"), USER_AGENT)
    )
    if head is None:
        raise AssertionError("a head without an end")
    origin = Origin(_HERE, _HERE, secure=False, trust=Trust(()))
    pairs = request_pairs(head, script_name, b"health-check", origin.pairs)
    return Request(pairs, head.line.method, head.line.target)


def _host(app: AppSettings) -> str:
    """One that the app answers to."""
    if not app.hosts:
        return "localhost"
    host = app.hosts[0]
    return "www" + host[1:] if host.startswith("*.") else host
