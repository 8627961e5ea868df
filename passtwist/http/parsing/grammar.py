"""The characters and words of RFC 9110 and 9112, as tables and expressions.

Runs in: the controller.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address

CRLF = b"\r\n"

# A field value: HTAB, SP, VCHAR, obs-text; what is left of a head after these
# are deleted has to be its line ends and nothing else.
FIELD_BYTES = bytes([9, *range(0x20, 0x7F), *range(0x80, 0x100)])
# RFC 3986 forbids some of these in a target, but clients send them.
TARGET_BYTES = bytes(range(0x21, 0x7F))
# Names whose CGI key can't be confused with another name's: `-` alone becomes `_`.
PLAIN_NAME_BYTES = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

TOKEN_CLASS = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
is_token = re.compile(TOKEN_CLASS + rb"+").fullmatch

# reg-name or IP literal, and a port.  The comma is legal in a reg-name; here it
# is the mark of two Host lines that somebody joined.
_HOST = re.compile(
    rb"(?:(?:[0-9A-Za-z\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})+|\[([0-9A-Fa-f:.]+)\])"
    rb"(?::([0-9]*))?"
)


def is_authority(value: bytes) -> bool:
    """Is *value* a host with or without a port, and nothing more?"""
    match = _HOST.fullmatch(value)
    if match is None:
        return False
    literal, port = match.groups()
    if port and (len(port) > 5 or int(port) > 65535):
        return False
    if literal is not None:
        try:
            IPv6Address(literal.decode("ascii"))
        except ValueError:
            return False
    return True


def list_elements(value: bytes) -> list[bytes]:
    """The elements of a comma-separated value, trimmed, in lower case."""
    return [element.strip(b" \t").lower() for element in value.split(b",")]
