"""The first line of a request: method, target, version.

Runs in: the controller.  Sans I/O.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from passtwist.http.parsing.grammar import TARGET_BYTES, is_authority, is_token
from passtwist.http.refusal import Refusal

_VERSION = re.compile(rb"HTTP/([0-9])\.([0-9])")
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?]*)(.*)")


class RequestLine(NamedTuple):
    """One request line, checked and taken apart.

    :ivar http11: HTTP/1.1 or a later 1.x; else HTTP/1.0.
    :ivar target: as it came.
    :ivar uri: path and query as they came, without scheme and authority.
    :ivar path: percent-decoded once; ``*`` for ``OPTIONS *``.
    :ivar authority: of a target in absolute form, else None.
    """

    method: bytes
    target: bytes
    http11: bool
    uri: bytes
    path: bytes
    query: bytes
    authority: bytes | None


def parse_request_line(line: bytes) -> RequestLine:
    """Take *line*, without its line end, apart.

    :raises Refusal: 400, 501 for CONNECT, 505 for another major version.
    """
    parts = line.split(b" ")
    if len(parts) != 3:
        raise Refusal(400, "the request line is not method, target and version")
    method, target, version = parts
    if not is_token(method):
        raise Refusal(400, "the method is not a token")
    http11 = version == b"HTTP/1.1" or _is_11(version)
    if not target or target.translate(None, TARGET_BYTES):
        raise Refusal(400, "the target has characters that need to be escaped")
    if b"#" in target:
        raise Refusal(400, "the target has a fragment")
    authority = None
    if method == b"CONNECT":
        raise Refusal(501, "CONNECT: this server is no tunnel")
    if target.startswith(b"/"):
        uri = target
    elif target == b"*":
        if method != b"OPTIONS":
            raise Refusal(400, "only OPTIONS may ask for *")
        return RequestLine(method, target, http11, target, target, b"", None)
    else:
        authority, uri = _split_absolute(target)
    path, _, query = uri.partition(b"?")
    if b"%" in path:
        path = unquote_to_bytes(path)
        if b"\0" in path:
            raise Refusal(400, "the path holds a NUL")
    return RequestLine(method, target, http11, uri, path, query, authority)


def _is_11(version: bytes) -> bool:
    match = _VERSION.fullmatch(version)
    if match is None:
        raise Refusal(400, "the version is not HTTP/ and two digits")
    major, minor = match.groups()
    if major == b"1":
        return minor != b"0"
    if major == b"0":
        raise Refusal(400, "HTTP before 1.0 is not spoken here")
    raise Refusal(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")


def _split_absolute(target: bytes) -> tuple[bytes, bytes]:
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise Refusal(400, "the target is neither a path nor an http URL")
    authority, rest = match.groups()
    if not is_authority(authority):
        raise Refusal(400, "the target's authority is not a host and a port")
    return authority, rest if rest.startswith(b"/") else b"/" + rest
