"""Single header lines: checked, and sorted by what the front end does with them.

Runs in: the controller.  Sans I/O.
"""

from __future__ import annotations

from typing import NamedTuple

from passtwist.http.parsing.grammar import (
    PLAIN_NAME_BYTES,
    is_authority,
    is_token,
    list_elements,
)
from passtwist.http.refusal import Refusal

# What to do with a line.  Plain integers: compared for each line of each request.
ORDINARY = 0  # goes to the app
HOST = 1
CONNECTION = 2
CONTENT_LENGTH = 3
TRANSFER_ENCODING = 4
EXPECT = 5
FORWARDING = 6  # goes to the app when the peer is a trusted proxy
HOP_BY_HOP = 7  # ends here
UNSAFE_NAME = 8  # ends here, and is counted
PRIVATE = 9  # goes to the app, but is kept in no cache
UPGRADE = 10

_KINDS = {
    b"host": HOST,
    b"connection": CONNECTION,
    b"content-length": CONTENT_LENGTH,
    b"transfer-encoding": TRANSFER_ENCODING,
    b"expect": EXPECT,
    b"forwarded": FORWARDING,
    b"x-real-ip": FORWARDING,
    b"x-request-id": FORWARDING,
    b"keep-alive": HOP_BY_HOP,
    b"te": HOP_BY_HOP,
    b"trailer": HOP_BY_HOP,
    b"upgrade": UPGRADE,
    # Becomes HTTP_PROXY, which HTTP client libraries obey (httpoxy).
    b"proxy": HOP_BY_HOP,
    b"cookie": PRIVATE,
    b"authorization": PRIVATE,
}
_PREFIXES = (
    (b"x-forwarded-", FORWARDING),
    # How a web server in front says that it sends files for an app, and where.
    (b"x-accel-", FORWARDING),
    (b"x-sendfile", FORWARDING),
    (b"proxy-", HOP_BY_HOP),
    # Ours: a client must not speak in the name of the server.
    (b"passtwist-", HOP_BY_HOP),
    (b"x-passtwist-", HOP_BY_HOP),
)

_LISTS = (CONNECTION, TRANSFER_ENCODING, UPGRADE)
# Thousands of them, which a head has room for, would take milliseconds to sort out.
_MAX_ELEMENTS = 32

# Names as clients write them, for lines whose values are new.
_KNOWN_NAMES = 1024
_KNOWN_LENGTH = 64
_known_names: dict[bytes, tuple[int, bytes]] = {}


class Field(NamedTuple):
    """One header line.

    :ivar pair: CGI key and value.
    :ivar elements: of a list that the front end reads itself, in lower case.
    """

    kind: int
    pair: tuple[bytes, bytes]
    elements: tuple[bytes, ...] = ()


def cgi_key(name: bytes) -> bytes:
    """The CGI variable of the header *name*."""
    key = name.upper().replace(b"-", b"_")
    if key in (b"CONTENT_TYPE", b"CONTENT_LENGTH"):
        return key
    return b"HTTP_" + key


def parse_field(line: bytes, limit: int) -> Field:
    """Check one header line, which is known to hold no control characters.

    :param limit: bytes that a line may have.
    :raises Refusal: 400, or 431 when it is too long.
    """
    if len(line) > limit:
        raise Refusal(431, f"a header is longer than {limit} bytes")
    name, colon, value = line.partition(b":")
    known = _known_names.get(name)
    if known is None or not colon:
        known = _learn_name(name, colon, line)
    kind, key = known
    value = value.strip(b" \t")
    if kind == HOST and not is_authority(value):
        raise Refusal(400, "Host is not a host and a port")
    elements: tuple[bytes, ...] = ()
    if kind in _LISTS:
        if value.count(b",") >= _MAX_ELEMENTS:
            raise Refusal(431, f"a list of more than {_MAX_ELEMENTS} elements")
        elements = tuple(list_elements(value))
    return Field(kind, (key, value), elements)


def _learn_name(name: bytes, colon: bytes, line: bytes) -> tuple[int, bytes]:
    """Kind and CGI key of a header's name.

    :raises Refusal: it is none.
    """
    if not colon or not is_token(name):
        if line[:1] in (b" ", b"\t"):
            raise Refusal(400, "a header line begins with white space")
        raise Refusal(400, "a header has no proper name")
    lower = name.lower()
    if lower.translate(None, PLAIN_NAME_BYTES):
        return UNSAFE_NAME, lower
    known = _kind(lower), cgi_key(lower)
    if len(name) <= _KNOWN_LENGTH:
        if len(_known_names) >= _KNOWN_NAMES:
            _known_names.clear()
        _known_names[name] = known
    return known


def _kind(name: bytes) -> int:
    kind = _KINDS.get(name)
    if kind is not None:
        return kind
    for prefix, kind in _PREFIXES:
        if name.startswith(prefix):
            return kind
    return ORDINARY
