r"""Checks the status and headers that an app gave, ``b"200 OK\r\nA: b\r\n"``.

Runs in: the controller.  Sans I/O.

One expression decides whether a block is well-formed; a second finds out
whether it has any header that needs a look.  Blocks that come again and again
are checked once.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from passtwist.http.parsing.grammar import CRLF, TOKEN_CLASS, list_elements

_match_block = re.compile(
    rb"([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*+)?\r\n"
    rb"(?:%b++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+" % TOKEN_CLASS
).fullmatch
_search_special = re.compile(
    rb"\n(?:content-length|date|connection|keep-alive|proxy-[^:]*|te|trailer"
    rb"|transfer-encoding|upgrade|x-request-id|x-sendfile|x-accel-redirect):",
    re.IGNORECASE,
).search

_DROPPED = frozenset(
    (b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
# Headers by which an app names a file to be sent.
SENDFILE = b"X-Sendfile"
ACCEL = b"X-Accel-Redirect"
_ERRANDS = {SENDFILE.lower(): SENDFILE, ACCEL.lower(): ACCEL}
# What `Connection` of an app can't take away.
_NOT_NOMINATED = frozenset(
    (b"content-type", b"set-cookie", b"location", b"cache-control", b"date")
)

POWERED_BY = b"X-Powered-By: passtwist\r\n"

_CACHED_LENGTH = 1024
_CACHED_BLOCKS = 1024


class BadResponseHead(Exception):
    """The app's status or headers can't be sent; says why."""


class Errand(NamedTuple):
    """An app wants a file to be sent in place of its body.

    :ivar kind: SENDFILE or ACCEL.
    :ivar value: which file.
    :ivar lines: all such header lines, as they came.
    """

    kind: bytes
    value: bytes
    lines: bytes


class CheckedHead:
    """A head that may go to a client, but for what the front end adds.

    :ivar block: status and headers, without Content-Length and without what
        is meant for one hop or for the server itself.
    :ivar content_length: as the app gave it, or None.
    :ivar bodiless: a status that has no body (204, 205, 304, 1xx).
    :ivar errand: the file to be sent in place of the body, or None.
    """

    __slots__ = (
        "block",
        "bodiless",
        "content_length",
        "errand",
        "has_date",
        "has_request_id",
        "status",
    )

    def __init__(self, status: int, block: bytes) -> None:
        self.status = status
        self.block = block
        self.content_length: int | None = None
        self.bodiless = status < 200 or status in (204, 205, 304)
        self.has_date = False
        self.has_request_id = False
        self.errand: Errand | None = None


class ResponseHeads:
    """Checks blocks and remembers those that it has checked.

    :ivar added: a line that each gets which has none of that name: `POWERED_BY`.
    """

    def __init__(self, added: bytes = b"") -> None:
        self.added = added
        self._known: dict[bytes, CheckedHead] = {}

    def check(self, block: bytes) -> CheckedHead:
        """:raises BadResponseHead: no client may see this."""
        return self._known.get(block) or self._learn(block)

    def _learn(self, block: bytes) -> CheckedHead:
        head = check_head(block)
        if self.added and b"\nx-powered-by:" not in block.lower():
            head.block += self.added
        if len(block) <= _CACHED_LENGTH:
            if len(self._known) >= _CACHED_BLOCKS:
                self._known.clear()
            self._known[block] = head
        return head


def check_head(block: bytes) -> CheckedHead:
    """Check one block.

    :raises BadResponseHead: bytes that are not allowed, or a Content-Length
        that is none.
    """
    match = _match_block(block)
    if match is None:
        raise BadResponseHead("its status line or a header is malformed")
    status = int(match[1])
    head = CheckedHead(status, block)
    if match.end(1) == block.index(CRLF):
        # A status without a reason keeps its space (RFC 9112, 4).
        head.block = block[:3] + b" " + block[3:]
    if _search_special(block):
        _sort_out(head)
    return head


def check_interim(block: bytes) -> bytes | None:
    """The block of a 103 response as it may be sent, or None if it may not."""
    try:
        head = check_head(block)
    except BadResponseHead:
        return None
    return head.block if head.status == 103 else None


def _sort_out(head: CheckedHead) -> None:
    first, *lines = head.block[:-2].split(CRLF)
    kept = [first]
    nominated: set[bytes] = set()
    named: list[tuple[bytes, bytes]] = []
    for line in lines:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name == b"content-length":
            _read_length(head, value.strip(b" \t"))
        elif name == b"connection":
            nominated.update(list_elements(value))
        elif name in _ERRANDS:
            _read_errand(head, _ERRANDS[name], line, value.strip(b" \t"))
        elif name not in _DROPPED and not name.startswith(b"proxy-"):
            head.has_date = head.has_date or name == b"date"
            head.has_request_id = head.has_request_id or name == b"x-request-id"
            named.append((name, line))
    nominated -= _NOT_NOMINATED
    kept += [line for name, line in named if name not in nominated]
    head.block = CRLF.join(kept) + CRLF


def _read_errand(head: CheckedHead, kind: bytes, line: bytes, value: bytes) -> None:
    errand = head.errand
    if errand is not None:
        head.errand = errand._replace(lines=errand.lines + line + CRLF)
    elif value and not head.bodiless:
        head.errand = Errand(kind, value, line + CRLF)


def _read_length(head: CheckedHead, value: bytes) -> None:
    if not value.isdigit() or len(value) > 19:
        raise BadResponseHead("its Content-Length is not a number")
    length = int(value)
    if head.content_length not in (None, length):
        raise BadResponseHead("it has two different Content-Lengths")
    head.content_length = length
