"""The decoder of chunked request bodies: bytes in, body out.

Runs in: the controller.  Sans I/O.

Stricter than RFC 9112 where a lenient reading is how requests get smuggled;
extensions and trailers are checked, limited and thrown away.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from passtwist.http.parsing.fields import parse_field
from passtwist.http.parsing.grammar import CRLF, FIELD_BYTES, TOKEN_CLASS
from passtwist.http.refusal import Refusal

if TYPE_CHECKING:
    from passtwist.http.config import HttpLimits

# quoted-string; its bytes never include the CR that ends the line
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_match_size_line = re.compile(
    rb"([0-9A-Fa-f]{1,16})"
    rb"((?:[ \t]*;[ \t]*%(token)b+(?:[ \t]*=[ \t]*(?:%(token)b+|%(quoted)b))?)*)"
    % {b"token": TOKEN_CLASS, b"quoted": _QUOTED}
).fullmatch

# The line of most chunks: a size that is not too large to be here whole.
_match_plain_size = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n").match

# What comes next.
_SIZE, _DATA, _DATA_END, _TRAILERS, _FINISHED = range(5)


class ChunkedDecoder:
    """Decodes one body.

    :ivar finished: the body has ended; `rest` is what followed it.
    """

    def __init__(self, limits: HttpLimits, max_body: int) -> None:
        self._max_line = limits.max_chunk_line
        self._extensions_left = limits.max_chunk_extensions
        self._trailers_left = limits.max_trailers
        self._max_field = limits.max_header_field
        self._body_left = max_body or 1 << 63
        self._next = _SIZE
        self._chunk_left = 0
        self._buffer = b""

    @property
    def finished(self) -> bool:
        return self._next == _FINISHED

    @property
    def rest(self) -> bytes:
        return self._buffer

    def feed(self, data: bytes) -> bytes:
        """Take *data*; answer the part of the body that became readable.

        :raises Refusal: 400, or 413 when a chunk would exceed the limit.
        """
        buffer = self._buffer + data if self._buffer else data
        offset = 0
        pieces: list[bytes] = []
        while self._next != _FINISHED:
            if self._next == _DATA:
                piece = buffer[offset : offset + self._chunk_left]
                if not piece:
                    break
                pieces.append(piece)
                offset += len(piece)
                self._chunk_left -= len(piece)
                if not self._chunk_left:
                    self._next = _DATA_END
            elif self._next == _DATA_END:
                if not CRLF.startswith(buffer[offset : offset + 2]):
                    raise Refusal(400, "a chunk is longer than its size")
                if len(buffer) - offset < 2:
                    break
                offset += 2
                self._next = _SIZE
            else:
                if self._next == _SIZE:
                    offset = self._read_whole_chunks(buffer, offset, pieces)
                end = buffer.find(CRLF, offset)
                if end < 0:
                    self._check_unfinished(buffer, offset)
                    break
                self._read_line(buffer[offset:end])
                offset = end + 2
        self._buffer = buffer[offset:]
        return b"".join(pieces)

    def _read_whole_chunks(
        self, buffer: bytes, offset: int, pieces: list[bytes]
    ) -> int:
        """Take in those that are here from size to end; answers what is behind them.

        64 KiB in chunks of a byte are 10,000 of them, in one turn of the reactor.
        """
        left = self._body_left
        while match := _match_plain_size(buffer, offset):
            size = int(match[1], 16)
            begin = match.end()
            end = begin + size
            if not size or size > left or buffer[end : end + 2] != CRLF:
                break
            pieces.append(buffer[begin:end])
            left -= size
            offset = end + 2
        self._body_left = left
        return offset

    def _read_line(self, line: bytes) -> None:
        if self._next == _SIZE:
            self._read_size(line)
        elif line:
            self._trailers_left -= len(line) + 2
            if self._trailers_left < 0:
                raise Refusal(431, "the trailers are too long")
            if line.translate(None, FIELD_BYTES):
                raise Refusal(400, "a control character in a trailer")
            parse_field(line, self._max_field)
        else:
            self._next = _FINISHED

    def _read_size(self, line: bytes) -> None:
        match = _match_size_line(line)
        if match is None or len(line) > self._max_line:
            raise Refusal(400, "a chunk has no proper size")
        digits, extensions = match.groups()
        self._extensions_left -= len(extensions)
        if self._extensions_left < 0:
            raise Refusal(400, "the chunk extensions are too long")
        size = int(digits, 16)
        self._body_left -= size
        if self._body_left < 0:
            raise Refusal(413, "the body is too large")
        self._chunk_left = size
        self._next = _DATA if size else _TRAILERS

    def _check_unfinished(self, buffer: bytes, offset: int) -> None:
        """A line without an end must not grow, nor hold what can't be mended."""
        length = len(buffer) - offset
        limit = self._max_line if self._next == _SIZE else self._trailers_left
        if length > limit + 1:
            if self._next == _SIZE:
                raise Refusal(400, "a chunk has no proper size")
            raise Refusal(431, "the trailers are too long")
        unended = buffer[offset:].removesuffix(b"\r")
        if unended.translate(None, FIELD_BYTES):
            raise Refusal(400, "a control character in the chunked framing")
