"""Whose word counts about where a request comes from.

Runs in: the controller.  Pure.

Forwarding headers are believed only from the networks in `trusted_proxies`.
From anybody else they do not even reach the app.  Of two families, those named
X-Forwarded-... and Forwarded, proxies write one, `proxy_headers`; the other, which
they hand through as the client has sent it, does not reach the app either.

Of the addresses in it the one that `proxy_hops` trusted proxies ago was the peer
is the client; what stands left of it was written by the client itself.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from passtwist.http.forwarded import parse_forwarded
from passtwist.http.parsing.scanner import join_repeated
from passtwist.http.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address
    from typing import TypeVar

    T = TypeVar("T")

UNIX = "unix"
X_FORWARDED, FORWARDED = "x-forwarded", "forwarded"
_MAX_REQUEST_ID = 128
_REQUEST_ID_BYTES = (
    b"-_.=+/:0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)
# To read an address takes longer than all else that is done to a request's head,
# and a client that comes again is told in the same words: so many are remembered.
_CACHED = 1024
_CACHED_LENGTH = 512
_FORWARDED_KEY = b"HTTP_FORWARDED"
_REQUEST_ID_KEY = b"HTTP_X_REQUEST_ID"


class Trust:
    """The trusted proxies and how many of them stand one behind the other."""

    def __init__(
        self, proxies: Sequence[str], hops: int = 1, headers: str = X_FORWARDED
    ) -> None:
        """
        :param headers: the family that they write: `X_FORWARDED` or `FORWARDED`.
        :raises ValueError: an entry is neither a network nor ``unix``.
        """
        self._unix = UNIX in proxies
        self._networks = [
            ip_network(proxy, strict=False) for proxy in proxies if proxy != UNIX
        ]
        self._hops = max(hops, 1)
        self._standard = headers == FORWARDED
        self._known: dict[tuple[bytes, ...], Forwarded] = {}

    def trusts(self, address: str | None) -> bool:
        """Is the peer a trusted proxy?

        :param address: its IP address, or None at the end of a Unix socket.
        """
        if address is None:
            return self._unix
        if not self._networks:
            return False
        try:
            parsed = _parse_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)

    def forwarded(self, forwarding: list[bytes]) -> Forwarded:
        """What a trusted proxy says in *forwarding*, pairs of CGI variables.

        :raises Refusal: 400 when it contradicts itself about the scheme, or when
            Forwarded, where it counts, is malformed.
        """
        request_id = None
        if _REQUEST_ID_KEY in forwarding:
            forwarding, request_id = _without_request_id(forwarding)
        key = tuple(forwarding)
        found = self._known.get(key)
        if found is None:
            found = self._read(forwarding)
            if sum(map(len, key)) <= _CACHED_LENGTH:
                if len(self._known) >= _CACHED:
                    self._known.clear()
                self._known[key] = found
        if request_id is None:
            return found
        return Forwarded(found.pairs, found.client, found.scheme, request_id)

    def _read(self, forwarding: list[bytes]) -> Forwarded:
        pairs = join_repeated(forwarding)
        said = dict(zip(pairs[::2], pairs[1::2], strict=True))
        standard = said.pop(_FORWARDED_KEY, b"")
        if self._standard:
            return self._by_standard(standard)
        return Forwarded(
            [item for pair in said.items() for item in pair],
            _client(self._nearest(_entries(said.get(b"HTTP_X_FORWARDED_FOR", b"")))),
            self._scheme(said),
        )

    def _by_standard(self, value: bytes) -> Forwarded:
        if not value:
            return Forwarded([], None, None)
        said: dict[bytes, bytes] = self._nearest(parse_forwarded(value) or [{}])
        return Forwarded(
            [_FORWARDED_KEY, value],
            _client(said.get(b"for", b"")),
            _known_scheme(said.get(b"proto", b"").lower()),
        )

    def _scheme(self, said: dict[bytes, bytes]) -> bytes | None:
        schemes = set()
        proto = self._nearest(_entries(said.get(b"HTTP_X_FORWARDED_PROTO", b"")))
        if proto:
            schemes.add(proto.lower())
        ssl = said.get(b"HTTP_X_FORWARDED_SSL", b"").lower()
        if ssl:
            schemes.add(b"https" if ssl == b"on" else b"http")
        if len(schemes) > 1:
            raise Refusal(400, "the proxy's headers name two schemes")
        return _known_scheme(schemes.pop() if schemes else b"")

    def _nearest(self, entries: list[T]) -> T:
        """What the outermost of our proxies has said."""
        return entries[-self._hops] if self._hops <= len(entries) else entries[0]


class Forwarded:
    """What a trusted proxy told about a request; None where it said nothing.

    :ivar pairs: its headers, for the app; without the request id.
    """

    __slots__ = ("client", "pairs", "request_id", "scheme")

    def __init__(
        self,
        pairs: list[bytes],
        client: bytes | None,
        scheme: bytes | None,
        request_id: bytes | None = None,
    ) -> None:
        self.pairs = pairs
        self.client = client
        self.scheme = scheme
        self.request_id = request_id


def _entries(value: bytes) -> list[bytes]:
    return [entry.strip(b" \t") for entry in value.split(b",")]


def _client(entry: bytes) -> bytes | None:
    """The address in an entry, which may have a port; None when there is none."""
    if entry.startswith(b"["):
        entry = entry[1:].partition(b"]")[0]
    elif entry.count(b":") == 1:
        entry = entry.partition(b":")[0]
    try:
        return str(_parse_address(entry.decode("ascii"))).encode("ascii")
    except ValueError:
        return None


def _known_scheme(scheme: bytes) -> bytes | None:
    return scheme if scheme in (b"http", b"https") else None


def _parse_address(text: str) -> IPv4Address | IPv6Address:
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _without_request_id(forwarding: list[bytes]) -> tuple[list[bytes], bytes | None]:
    """The other pairs, and the id if it is one."""
    others: list[bytes] = []
    found: list[bytes] = []
    for key, value in zip(forwarding[::2], forwarding[1::2], strict=True):
        if key == _REQUEST_ID_KEY:
            found.append(value)
        else:
            others += (key, value)
    return others, _request_id(b",".join(found))


def _request_id(value: bytes) -> bytes | None:
    if not value or len(value) > _MAX_REQUEST_ID:
        return None
    return None if value.translate(None, _REQUEST_ID_BYTES) else value
