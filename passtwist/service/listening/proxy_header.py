"""The PROXY protocol: a load balancer says first whose connection it passes on.

Runs in: the controller.  Sans I/O.

Versions 1 (a line of text) and 2 (binary), as HAProxy's proxy-protocol.txt has
them.  Twisted's own parser raises what nobody expects for many headers that are
none, wants version 2 in one piece, and believes any text to be an address.
"""

from __future__ import annotations

import re
import struct
from ipaddress import IPv4Address as IPv4
from ipaddress import IPv6Address as IPv6
from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.address import IPv4Address, IPv6Address

if TYPE_CHECKING:
    from collections.abc import Iterator

_V1 = b"PROXY "
_LONGEST_V1 = 107
_LINE = re.compile(
    rb"PROXY (?:UNKNOWN[^\r\n]*"
    rb"|(TCP[46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) ([0-9]{1,5}) ([0-9]{1,5}))\r\n"
)

_V2 = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED_V2 = 16
# Addresses and what else a balancer tells; it is 64 KiB at most, by the protocol,
# and a few hundred bytes as balancers send it.
_LONGEST_V2 = 4096
_LOCAL, _PROXY = 0x20, 0x21
_OVER_TCP4, _OVER_TCP6 = 0x11, 0x21
_TLS = 0x20
_CLIENT_USED_TLS = 0x01

Address = IPv4Address | IPv6Address


class BadProxyHeader(Exception):
    """What came is no PROXY header; says why."""


class ProxyHeader(NamedTuple):
    """What a header says.

    :ivar size: bytes that it has; the client's own follow.
    :ivar source: the client, and
    :ivar destination: where it connected to; both None when the balancer speaks
        for itself, or does not know.
    :ivar secure: the client's connection to the balancer is by TLS.
    """

    size: int
    source: Address | None = None
    destination: Address | None = None
    secure: bool = False


def read_header(data: bytes) -> ProxyHeader | None:
    """The header at the beginning of *data*; None while it is not complete.

    :raises BadProxyHeader: there is none, and there won't be.
    """
    if data.startswith(_V1):
        return _read_line(data)
    if data.startswith(_V2):
        return _read_binary(data)
    if _V1.startswith(data) or _V2.startswith(data):
        return None
    raise BadProxyHeader("a connection that does not begin with a PROXY header")


def _read_line(data: bytes) -> ProxyHeader | None:
    end = data.find(b"\n", 0, _LONGEST_V1) + 1
    if not end:
        if len(data) < _LONGEST_V1:
            return None
        raise BadProxyHeader(f"a PROXY line of more than {_LONGEST_V1} bytes")
    found = _LINE.fullmatch(data, 0, end)
    if found is None:
        raise BadProxyHeader("a PROXY line that is malformed")
    family, *texts = found.groups()
    if family is None:
        return ProxyHeader(end)
    source, destination, *ports = (text.decode("ascii") for text in texts)
    try:
        make = _address4 if family == b"TCP4" else _address6
        kind = IPv4 if family == b"TCP4" else IPv6
        return ProxyHeader(
            end,
            make(kind(source).packed, int(ports[0])),
            make(kind(destination).packed, int(ports[1])),
        )
    except ValueError:
        raise BadProxyHeader("a PROXY line without proper addresses") from None


def _read_binary(data: bytes) -> ProxyHeader | None:
    if len(data) < _FIXED_V2:
        return None
    command, family, length = struct.unpack_from("!BBH", data, len(_V2))
    if command not in (_LOCAL, _PROXY):
        raise BadProxyHeader("a PROXY header of an unknown version or command")
    size = _FIXED_V2 + length
    if size > _LONGEST_V2:
        raise BadProxyHeader(f"a PROXY header of more than {_LONGEST_V2} bytes")
    if len(data) < size:
        return None
    if command == _LOCAL or family not in (_OVER_TCP4, _OVER_TCP6):
        return ProxyHeader(size)
    width = 4 if family == _OVER_TCP4 else 16
    make = _address4 if family == _OVER_TCP4 else _address6
    extensions = _FIXED_V2 + 2 * width + 4
    if size < extensions:
        raise BadProxyHeader("a PROXY header without proper addresses")
    source, destination, *ports = struct.unpack_from(
        f"!{width}s{width}sHH", data, _FIXED_V2
    )
    return ProxyHeader(
        size,
        make(source, ports[0]),
        make(destination, ports[1]),
        any(
            kind == _TLS and value[:1] and value[0] & _CLIENT_USED_TLS
            for kind, value in _extensions(data[extensions:size])
        ),
    )


def _extensions(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        if len(data) < 3:
            raise BadProxyHeader("a PROXY header that is cut off")
        kind, length = struct.unpack_from("!BH", data)
        if len(data) < 3 + length:
            raise BadProxyHeader("a PROXY header that is cut off")
        yield kind, data[3 : 3 + length]
        data = data[3 + length :]


def _address4(packed: bytes, port: int) -> Address:
    return IPv4Address("TCP", str(IPv4(packed)), _port(port))


def _address6(packed: bytes, port: int) -> Address:
    address = IPv6(packed)
    if address.ipv4_mapped is not None:
        return IPv4Address("TCP", str(address.ipv4_mapped), _port(port))
    return IPv6Address("TCP", str(address), _port(port))


def _port(number: int) -> int:
    if number > 65535:
        raise ValueError(number)
    return number
