"""Responses of workers that speak HTTP/1.1: bytes in, events out.

Runs in: the controller.

Strict, as an app's own code is on the other side: a response whose end is not
beyond doubt would become a part of somebody else's.  No general parser is used
for it: the front end checks every head again, with a cache of those that it knows,
so all that is to be found out here is where a response ends.
"""

from __future__ import annotations

import re
from typing import List, Optional, Sequence, Tuple

from passtwist.errors import BadFrame
from passtwist.wire.chunks import ChunkReader

# Kinds of events.
HEAD = 1  # status and headers, as `encode_response_start` has them
BODY = 2  # a piece of the body
END = 3  # the response is complete
INTERIM = 4  # a 103, as HEAD
UPGRADE = 5  # a 101, as HEAD; what follows is not HTTP, see `ResponseReader.rest`

Event = Tuple[int, bytes]

MAX_HEAD = 64 * 1024

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_FIELD = rb"(?:%b+:[\t\x20-\x7e\x80-\xff]*\r\n)" % _TOKEN
_match_head = re.compile(
    rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?\r\n%b*" % _FIELD
).fullmatch
_find_framing = re.compile(
    rb"\n(content-length|transfer-encoding|connection|upgrade):([^\r]*)\r",
    re.IGNORECASE,
).findall
_search_lone_line_end = re.compile(rb"(?<!\r)\n|\r(?!\n|$)").search
_BEGIN = b"HTTP/1."

# What comes next.
_AT_HEAD, _NO_BODY, _LENGTH, _CHUNKED, _CLOSE, _FINISHED, _UPGRADED = range(7)


class ResponseReader:
    """Reads the response to one request.

    :param head_only: the request was HEAD.
    :param upgrade: the protocol that was offered, in lower case; b"" for none.
    :ivar is_reusable: the connection may carry another request; known at END.
    """

    def __init__(self, head_only: bool = False, upgrade: bytes = b"") -> None:
        self._head_only = head_only
        self._upgrade = upgrade
        self._next = _AT_HEAD
        self._buffer = b""
        self._searched = 0
        self._left = 0
        self._chunks: Optional[ChunkReader] = None
        self.is_reusable = False

    @property
    def is_ended_by_close(self) -> bool:
        """The body ends where the connection ends, so that nobody knows."""
        return self._next == _CLOSE

    @property
    def rest(self) -> bytes:
        """What followed the response, or the 101."""
        return self._buffer

    def feed(self, data: bytes) -> List[Event]:
        """Take *data*; answer what it has brought.

        :raises BadFrame: the connection can't be used again.
        """
        if self._buffer:
            data = self._buffer + data
        self._buffer = data
        events: List[Event] = []
        while self._next == _AT_HEAD:
            if not self._read_head(events):
                return events
        if self._next == _NO_BODY:
            self._finish(events)
        elif self._next == _LENGTH:
            self._read_length(events)
        elif self._next == _CHUNKED:
            self._read_chunks(events)
        elif self._next == _CLOSE and self._buffer:
            events.append((BODY, self._buffer))
            self._buffer = b""
        return events

    def end(self) -> List[Event]:
        """The worker has closed the connection.

        :raises BadFrame: within a response.
        """
        if self._next != _CLOSE:
            raise BadFrame("the connection was closed within a response")
        events: List[Event] = []
        self._finish(events)
        return events

    # --- heads ----------------------------------------------------------------

    def _read_head(self, events: List[Event]) -> bool:
        """Read one head, if it is there; whether it was."""
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n", max(self._searched - 3, 0))
        if end > MAX_HEAD or (end < 0 and len(buffer) > MAX_HEAD):
            raise BadFrame("a response's head of more than %d bytes" % MAX_HEAD)
        if end < 0:
            self._searched = len(buffer)
            if not (_BEGIN.startswith(buffer[:7]) or buffer.startswith(_BEGIN)):
                raise BadFrame("what was said is not HTTP/1")
            if _search_lone_line_end(buffer):
                raise BadFrame("a line of a response's head ends in no CRLF")
            return False
        self._searched = 0
        head, self._buffer = buffer[: end + 2], buffer[end + 4 :]
        match = _match_head(head)
        if match is None:
            raise BadFrame("a response's head is malformed")
        version, status = match.groups()
        framing = _Framing(_find_framing(head))
        if status[:1] == b"1":
            self._read_interim(events, int(status), head[9:], framing)
        else:
            self._begin(int(status), version == b"1", framing)
            events.append((HEAD, head[9:]))
        return True

    def _read_interim(
        self, events: List[Event], status: int, block: bytes, framing: _Framing
    ) -> None:
        if status == 101:
            if not self._upgrade:
                raise BadFrame("status 101, and no upgrade was asked for")
            if framing.upgrade != [self._upgrade] or (
                b"upgrade" not in framing.connection
            ):
                raise BadFrame(
                    "status 101 without Connection: upgrade, or to another protocol"
                )
            self._next = _UPGRADED
            events.append((UPGRADE, block))
        elif status == 103:
            events.append((INTERIM, block))
        # The others tell of this hop, and nothing was asked that they answer.

    def _begin(self, status: int, is_http11: bool, framing: _Framing) -> None:
        length = framing.length()
        is_chunked = framing.is_chunked()
        if is_chunked and (length is not None or not is_http11):
            raise BadFrame(
                "a response with Transfer-Encoding and Content-Length"
                if is_http11
                else "a response with Transfer-Encoding in HTTP/1.0"
            )
        self.is_reusable = is_http11 and b"close" not in framing.connection
        if self._head_only or status in (204, 304):
            self._next = _NO_BODY
        elif is_chunked:
            self._next = _CHUNKED
            self._chunks = ChunkReader()
        elif length is not None:
            self._next = _LENGTH
            self._left = length
        else:
            self._next = _CLOSE
            self.is_reusable = False

    # --- bodies ---------------------------------------------------------------

    def _read_length(self, events: List[Event]) -> None:
        piece = self._buffer
        if len(piece) > self._left:
            piece = piece[: self._left]
        if piece:
            self._left -= len(piece)
            self._buffer = self._buffer[len(piece) :]
            events.append((BODY, piece))
        if not self._left:
            self._finish(events)

    def _read_chunks(self, events: List[Event]) -> None:
        chunks = self._chunks
        assert chunks is not None
        data, self._buffer = self._buffer, b""
        piece = chunks.feed(data)
        if piece:
            events.append((BODY, piece))
        if chunks.is_finished:
            self._buffer = chunks.rest
            self._finish(events)

    def _finish(self, events: List[Event]) -> None:
        self._next = _FINISHED
        events.append((END, b""))


class _Framing:
    """The headers that say where a response ends and what follows it."""

    def __init__(self, found: Sequence[Tuple[bytes, bytes]]) -> None:
        self._lengths: List[bytes] = []
        self._codings: List[bytes] = []
        self.connection: List[bytes] = []
        self.upgrade: List[bytes] = []
        for name, value in found:
            name = name.lower()
            if name == b"content-length":
                self._lengths.append(value.strip(b" \t"))
            elif name == b"transfer-encoding":
                self._codings += _elements(value)
            elif name == b"connection":
                self.connection += _elements(value)
            else:
                self.upgrade += _elements(value)

    def length(self) -> Optional[int]:
        """Content-Length, if there is one.

        :raises BadFrame: there is more than one, or it is no number.
        """
        if not self._lengths:
            return None
        value = self._lengths[0]
        if len(self._lengths) > 1:
            raise BadFrame("a response with more than one Content-Length")
        if not value.isdigit() or len(value) > 18:
            raise BadFrame("a response's Content-Length is not a number")
        return int(value)

    def is_chunked(self) -> bool:
        """Whether the body is chunked.

        :raises BadFrame: it is encoded in any other way.
        """
        if self._codings and self._codings != [b"chunked"]:
            raise BadFrame("a response's Transfer-Encoding is not chunked")
        return bool(self._codings)


def _elements(value: bytes) -> List[bytes]:
    return [element.strip(b" \t").lower() for element in value.split(b",")]
