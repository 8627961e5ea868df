"""The CGI variables of a request.

Runs in: the controller.  Pure.

All keys are made here; the worker adds ``wsgi.*`` objects only.  A pair list is
flat, ``[k1, v1, k2, v2]``, which is what goes over the wire.

PATH_INFO is percent-decoded once and otherwise left alone: dot segments and
doubled slashes are the app's business.  REQUEST_URI and RAW_URI are the target
as it came, without scheme and authority.

HTTP_X_REQUEST_ID is the request's id, as in the response's X-Request-Id, on error
pages and in the log: a trusted proxy's if it sent one, else our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.address import IPv4Address, IPv6Address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from passtwist.http.parsing.scanner import RequestHead
    from passtwist.http.trust import Trust

_PORTS = {b"http": b"80", b"https": b"443"}


class Origin:
    """What is the same for all requests of one connection.

    :ivar remote: the peer's address, for the access log.
    :ivar trusted: the peer is a trusted proxy.
    """

    __slots__ = ("_peer", "_server", "pairs", "remote", "scheme", "trusted")

    def __init__(self, peer: object, host: object, secure: bool, trust: Trust) -> None:
        """
        :param peer: Twisted's address of the client.
        :param host: Twisted's address of our end.
        """
        self.scheme = b"https" if secure else b"http"
        name, port = b"localhost", b""
        if isinstance(host, IPv4Address | IPv6Address):
            name, port = _written(host.host), b"%d" % host.port
        self._server = (name, port)
        address: str | None = None
        self._peer: tuple[bytes, bytes] = (b"", b"")
        if isinstance(peer, IPv4Address | IPv6Address):
            address = peer.host
            self._peer = (_written(address), b"%d" % peer.port)
        self.remote = self._peer[0]
        self.trusted = trust.trusts(address)
        self.pairs = self.pairs_for(None, None)

    def pairs_for(self, client: bytes | None, scheme: bytes | None) -> list[bytes]:
        """The variables of this connection.

        :param client: another client than the peer: it is behind a proxy.
        :param scheme: another scheme than the connection's own.
        """
        scheme = scheme or self.scheme
        # The port of a client behind a proxy is not known; 0 is a number.
        address, port = self._peer if client is None else (client, b"0")
        pairs = [
            *(b"GATEWAY_INTERFACE", b"CGI/1.1"),
            *(b"SERVER_SOFTWARE", b"passtwist"),
            *(b"SERVER_NAME", self._server[0]),
            *(b"SERVER_PORT", self._server[1] or _PORTS[scheme]),
            *(b"REMOTE_ADDR", address),
            *(b"REMOTE_PORT", port),
            *(b"wsgi.url_scheme", scheme),
        ]
        if scheme == b"https":
            pairs += (b"HTTPS", b"on")
        return pairs


def _written(address: str) -> bytes:
    """An address of IPv4 as such, also where an endpoint takes both."""
    if "." in address:
        address = address.removeprefix("::ffff:")
    return address.encode("ascii")


def request_pairs(
    head: RequestHead,
    script_name: bytes,
    request_id: bytes,
    origin: Sequence[bytes],
) -> list[bytes]:
    """All variables of one request but CONTENT_LENGTH, not known until the end.

    :param script_name: where the app is mounted: b"" or b"/shop".
    :param origin: the variables of the connection.
    """
    line = head.line
    return [
        b"REQUEST_METHOD",
        line.method,
        b"SCRIPT_NAME",
        script_name,
        b"PATH_INFO",
        line.path[len(script_name) :] if script_name else line.path,
        b"QUERY_STRING",
        line.query,
        b"REQUEST_URI",
        line.uri,
        b"RAW_URI",
        line.uri,
        b"SERVER_PROTOCOL",
        b"HTTP/1.1" if line.http11 else b"HTTP/1.0",
        b"HTTP_X_REQUEST_ID",
        request_id,
        *origin,
        *head.pairs,
    ]
