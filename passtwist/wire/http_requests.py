"""Requests to workers that speak HTTP/1.1: CGI pairs in, a request's head out.

Runs in: the controller.

What is meant for one hop is not passed on, and the forwarding headers are made
here, of what the front end believes: an app needs to know neither which proxies
are trusted nor how many of them there are.
"""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence

from passtwist.errors import ForgedEnviron

# Headers that end here, or are made here.
_ENDS = frozenset(
    b"HTTP_" + name
    for name in (
        *(b"CONNECTION", b"CONTENT_LENGTH", b"EXPECT", b"HOST", b"KEEP_ALIVE"),
        *(b"PROXY", b"PROXY_AUTHENTICATE", b"PROXY_AUTHORIZATION"),
        *(b"PROXY_CONNECTION", b"TE", b"TRAILER", b"TRANSFER_ENCODING", b"UPGRADE"),
        *(b"X_FORWARDED_FOR", b"X_FORWARDED_HOST", b"X_FORWARDED_PROTO"),
        b"X_FORWARDED_SSL",
    )
)
# Names come from clients; so many of them are remembered at a time, up to this length.
_KNOWN_NAMES = 1024
_KNOWN_LENGTH = 64

# Variable, and how the line of its header begins: b"" for those that are none.
_names: Dict[bytes, bytes] = {}


def encode_request_head(
    pairs: Sequence[bytes], length: Optional[int] = 0, upgrade: bytes = b""
) -> bytes:
    """The head of a request, empty line included.

    :param pairs: CGI variables, keys and values in turn.
    :param length: of the body, in bytes; None when it comes in chunks.
    :param upgrade: the protocol to offer in ``Upgrade``; b"" for none.
    :raises ForgedEnviron: a variable holds what would begin another line, or a
        target a space.
    """
    given: Dict[bytes, bytes] = {}
    lines: List[bytes] = [b"", b""]
    known = _names.get
    for key, value in zip(pairs[::2], pairs[1::2]):
        begin = known(key)
        if begin is None:
            begin = _learn(key)
        if begin:
            lines.append(begin + value)
        else:
            given[key] = value
    # No target: a health check's, or one that a test has made.
    target = given.get(b"REQUEST_URI") or given.get(b"PATH_INFO") or b"/"
    lines[0] = b"%b %b HTTP/1.1" % (given[b"REQUEST_METHOD"], target)
    host = given.get(b"HTTP_HOST") or given.get(b"SERVER_NAME") or b"localhost"
    lines[1] = b"Host: " + host
    if b"CONTENT_TYPE" in given:
        lines.append(b"Content-Type: " + given[b"CONTENT_TYPE"])
    if length is None:
        lines.append(b"Transfer-Encoding: chunked")
    elif length or b"CONTENT_LENGTH" in given:
        lines.append(b"Content-Length: %d" % length)
    if upgrade:
        lines += (b"Connection: Upgrade", b"Upgrade: " + upgrade)
    if given.get(b"REMOTE_ADDR"):
        lines.append(b"X-Forwarded-For: " + given[b"REMOTE_ADDR"])
    scheme = given.get(b"wsgi.url_scheme", b"http")
    lines.append(b"X-Forwarded-Proto: " + scheme)
    lines.append(b"X-Forwarded-Host: " + host)
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    _check(head, lines)
    return head


def _learn(key: bytes) -> bytes:
    """``HTTP_USER_AGENT`` as the beginning of a line: ``User-Agent: ``."""
    name = b""
    if key.startswith(b"HTTP_") and key not in _ENDS:
        name = key[5:].replace(b"_", b"-").title() + b": "
    if len(key) <= _KNOWN_LENGTH:
        if len(_names) >= _KNOWN_NAMES:
            _names.clear()
        _names[key] = name
    return name


def _check(head: bytes, lines: List[bytes]) -> None:
    """What the front end has let through can't have these; a plugin's may."""
    ends = len(lines) + 1
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head:
        raise ForgedEnviron("a line end or a NUL byte in the request's CGI variables")
    if lines[0].count(b" ") != 2:
        raise ForgedEnviron("a space in the request's method or target")
