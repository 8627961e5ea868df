"""The chunked coding of a worker's response: bytes in, body out.

Runs in: the controller.

A stranger to the decoder of the front end, which answers requests with what is
wrong with them and lives by the limits of the settings; this one has one answer to
all that is wrong, and an app that is trusted with more.
"""

from __future__ import annotations

import re
from typing import List

from passtwist.errors import BadFrame

MAX_LINE = 4096
MAX_TRAILERS = 16 * 1024

_match_size = re.compile(
    rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?"
).fullmatch
_match_trailer = re.compile(
    rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*"
).fullmatch

# What comes next.
_SIZE, _DATA, _DATA_END, _TRAILERS, _FINISHED = range(5)


class ChunkReader:
    """Decodes one body; extensions and trailers are thrown away.

    :ivar rest: what followed the body, once `is_finished`.
    """

    def __init__(self) -> None:
        self._next = _SIZE
        self._left = 0
        self._trailers_left = MAX_TRAILERS
        self.rest = b""

    @property
    def is_finished(self) -> bool:
        """The body has ended."""
        return self._next == _FINISHED

    def feed(self, data: bytes) -> bytes:
        """Take *data*; answer the part of the body that became readable.

        :raises BadFrame: this is not the chunked coding.
        """
        buffer = self.rest + data if self.rest else data
        offset = 0
        pieces: List[bytes] = []
        while self._next != _FINISHED:
            if self._next == _DATA:
                piece = buffer[offset : offset + self._left]
                if not piece:
                    break
                pieces.append(piece)
                offset += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._next = _DATA_END
                continue
            end = buffer.find(b"\r\n", offset)
            if self._next == _DATA_END:
                if not b"\r\n".startswith(buffer[offset : offset + 2]):
                    raise BadFrame("a chunk of a response is longer than its size")
                if end < 0:
                    break
                self._next = _SIZE
            elif end < 0:
                if len(buffer) - offset > MAX_LINE:
                    raise BadFrame("a chunk of a response has no proper size")
                break
            else:
                self._read_line(buffer[offset:end])
            offset = end + 2
        self.rest = buffer[offset:]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read_line(self, line: bytes) -> None:
        if self._next == _TRAILERS:
            self._trailers_left -= len(line) + 2
            if not line:
                self._next = _FINISHED
            elif self._trailers_left < 0 or not _match_trailer(line):
                raise BadFrame("the trailers of a response are malformed or too long")
            return
        match = _match_size(line)
        if match is None or len(line) > MAX_LINE:
            raise BadFrame("a chunk of a response has no proper size")
        self._left = int(match[1], 16)
        self._next = _DATA if self._left else _TRAILERS
