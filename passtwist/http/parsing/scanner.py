"""The head scanner: bytes in, a checked request head or a refusal out.

Runs in: the controller.  Sans I/O.

One find for the end, one split into lines, one translate that shows whether
there is any control character but the line ends, and two caches of lines that
have been checked before.  Heads that come again as they were are read once:
those of load generators, health checks and clients of APIs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from passtwist.http.parsing.fields import (
    FORWARDING,
    HOST,
    ORDINARY,
    PRIVATE,
    UNSAFE_NAME,
    parse_field,
)
from passtwist.http.parsing.framing import apply_framing
from passtwist.http.parsing.grammar import CRLF, FIELD_BYTES
from passtwist.http.parsing.request_line import parse_request_line
from passtwist.http.refusal import Refusal

if TYPE_CHECKING:
    from passtwist.http.config import HttpLimits
    from passtwist.http.parsing.fields import Field
    from passtwist.http.parsing.request_line import RequestLine

_HEAD_END = b"\r\n\r\n"
_HEAD_BYTES = FIELD_BYTES + CRLF
_search_lone_line_end = re.compile(rb"(?<!\r)\n|\r(?=[^\n])").search

# Lines are cached only up to this length, and each cache is emptied when it
# has this many: a few MiB at the very most, whatever clients send.
_CACHED_LENGTH = 256
_CACHED_LINES = 4096
# The same of whole heads: 2 or 3 MiB.
_CACHED_HEAD_LENGTH = 512
_CACHED_HEADS = 1024
# Nobody's secrets are kept.
_PRIVATE_KEYS = frozenset((b"HTTP_COOKIE", b"HTTP_AUTHORIZATION"))


class RequestHead:
    """The head of a request; never changed once it is read, as others may be the same.

    :ivar pairs: CGI keys and values of the headers for the app, in turn.
    :ivar forwarding: the same of headers that only a trusted proxy may set.
    :ivar host: the authority that the client asks for; None in HTTP/1.0.
    :ivar content_length: announced length of the body; None when not announced.
    :ivar connection: elements of Connection, in lower case.
    :ivar unsafe_names: headers dropped because of their names.
    :ivar upgrade: protocols that the client would like to go over to.
    :ivar end: offset at which the body begins.
    """

    __slots__ = (
        "chunked",
        "connection",
        "content_length",
        "end",
        "expects_continue",
        "forwarding",
        "host",
        "http11",
        "keep_alive",
        "line",
        "pairs",
        "unsafe_names",
        "upgrade",
    )

    def __init__(self, line: RequestLine, pairs: list[bytes], end: int) -> None:
        self.line = line
        self.pairs = pairs
        self.end = end
        self.http11 = self.keep_alive = line.http11
        self.host: bytes | None = None
        self.content_length: int | None = None
        self.chunked = False
        self.expects_continue = False
        self.connection: tuple[bytes, ...] = ()
        self.forwarding: list[bytes] = []
        self.unsafe_names = 0
        self.upgrade: tuple[bytes, ...] = ()


class HeadScanner:
    """Scans request heads; one for all connections, because of its caches."""

    def __init__(self, limits: HttpLimits) -> None:
        self._max_line = limits.max_request_line
        self._max_fields = limits.max_header_fields
        self._max_field = limits.max_header_field
        self._max_bytes = limits.max_header_bytes
        self._known_lines: dict[bytes, RequestLine] = {}
        self._known_fields: dict[bytes, Field] = {}
        self._known_heads: dict[bytes, RequestHead] = {}

    def scan(self, buffer: bytes, searched: int = 0) -> RequestHead | None:
        """Scan the head at the beginning of *buffer*.

        :param searched: how much of *buffer* an earlier call has seen.
        :returns: None when the head is not complete yet.
        :raises Refusal: the connection can't be used again.
        """
        end = buffer.find(_HEAD_END, searched - 3 if searched > 3 else 0)
        if end < 0:
            self._check_unfinished(buffer, searched)
            return None
        text = buffer[:end]
        if end <= _CACHED_HEAD_LENGTH:
            head = self._known_heads.get(text)
            if head is not None:
                return head
        return self._read(text, end)

    def _read(self, text: bytes, end: int) -> RequestHead:
        whole = text
        if not text or text[0] == 13:
            text = _without_empty_line(text)
        lines = text.split(CRLF)
        if text.translate(None, FIELD_BYTES) != CRLF * (len(lines) - 1):
            raise Refusal(400, "a control character in the head")
        request_line = lines.pop(0)
        known = self._known_lines.get(request_line)
        line = known or self._learn_line(request_line)
        if len(lines) > self._max_fields:
            raise Refusal(431, f"more than {self._max_fields} headers")
        if end > self._max_bytes and end - len(request_line) > self._max_bytes:
            raise Refusal(431, f"more than {self._max_bytes} bytes of headers")
        head = self._read_fields(line, lines, end + 4)
        if known is not None and end <= _CACHED_HEAD_LENGTH:
            self._remember(whole, head)
        return head

    def _remember(self, text: bytes, head: RequestHead) -> None:
        if _PRIVATE_KEYS.isdisjoint(head.pairs):
            if len(self._known_heads) >= _CACHED_HEADS:
                self._known_heads.clear()
            self._known_heads[text] = head

    def _read_fields(
        self, line: RequestLine, lines: list[bytes], end: int
    ) -> RequestHead:
        pairs: list[bytes] = []
        head = RequestHead(line, pairs, end)
        known = self._known_fields.get
        others: list[Field] = []
        for text in lines:
            field = known(text) or self._learn_field(text)
            kind = field[0]
            if kind == ORDINARY:
                pairs += field[1]
            elif kind == HOST:
                if head.host is not None:
                    raise Refusal(400, "more than one Host")
                head.host = field[1][1]
            elif kind == PRIVATE:
                pairs += field[1]
            elif kind == FORWARDING:
                head.forwarding += field[1]
            elif kind == UNSAFE_NAME:
                head.unsafe_names += 1
            else:
                others.append(field)
        if head.host is None and line.http11:
            raise Refusal(400, "no Host")
        if line.authority is not None:
            head.host = line.authority
        if head.host is not None:
            pairs += (b"HTTP_HOST", head.host)
        if len(set(pairs[::2])) * 2 != len(pairs):
            head.pairs = join_repeated(pairs)
        if others:
            apply_framing(head, others)
        return head

    def _learn_line(self, text: bytes) -> RequestLine:
        if len(text) > self._max_line:
            raise Refusal(414, f"a request line of more than {self._max_line} bytes")
        line = parse_request_line(text)
        if len(text) <= _CACHED_LENGTH:
            if len(self._known_lines) >= _CACHED_LINES:
                self._known_lines.clear()
            self._known_lines[text] = line
        return line

    def _learn_field(self, text: bytes) -> Field:
        field = parse_field(text, self._max_field)
        if len(text) <= _CACHED_LENGTH and field.kind != PRIVATE:
            if len(self._known_fields) >= _CACHED_LINES:
                self._known_fields.clear()
            self._known_fields[text] = field
        return field

    def _check_unfinished(self, buffer: bytes, searched: int) -> None:
        """Refuse as early as possible what no further byte can mend."""
        if buffer[searched:].translate(None, _HEAD_BYTES) or _search_lone_line_end(
            buffer, max(searched - 1, 0)
        ):
            raise Refusal(400, "a control character in the head")
        line_end = buffer.find(CRLF, 2)
        if line_end < 0 or line_end > self._max_line + 2:
            # A CR at the very end may be the line's.
            if len(buffer) > self._max_line + 3:
                raise Refusal(
                    414, f"a request line of more than {self._max_line} bytes"
                )
        elif len(buffer) - line_end > self._max_bytes + 3:
            raise Refusal(431, f"more than {self._max_bytes} bytes of headers")


def _without_empty_line(text: bytes) -> bytes:
    # Old clients send a line end behind a body.  One is forgiven.
    if not text.startswith(CRLF):
        raise Refusal(400, "more than an empty line before the request line")
    return text[2:]


def join_repeated(pairs: list[bytes]) -> list[bytes]:
    """One pair for each key; several lines of one header make one list."""
    joined: dict[bytes, bytes] = {}
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        if key in joined:
            separator = b"; " if key == b"HTTP_COOKIE" else b","
            value = joined[key] + separator + value
        joined[key] = value
    return [item for pair in joined.items() for item in pair]
