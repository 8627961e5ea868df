"""Takes in a request's body, before any worker sees the request.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from passtwist.http.parsing.chunked import ChunkedDecoder
from passtwist.http.refusal import Refusal
from passtwist.http.spool import Spool

if TYPE_CHECKING:
    from passtwist.http.buffer_space import BufferSpace
    from passtwist.http.config import HttpLimits
    from passtwist.http.parsing.scanner import RequestHead


def check_announced(head: RequestHead, max_body: int) -> None:
    """Refuse a body that is announced as too large.

    :raises Refusal: 413; with the body still to come, so it closes.
    """
    if max_body and head.content_length and head.content_length > max_body:
        raise Refusal(413, f"the body has more than {max_body} bytes")


class LengthDecoder:
    """Cuts a body off whose length is known; speaks like a `ChunkedDecoder`.

    :ivar finished: the body has ended; `rest` is what followed it.
    """

    def __init__(self, length: int) -> None:
        self._left = length
        self.finished = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """Take *data*; answer the part of it that belongs to the body."""
        body = data[: self._left]
        self._left -= len(body)
        if not self._left:
            self.finished = True
            self.rest = data[len(body) :]
        return body


BodyDecoder: TypeAlias = ChunkedDecoder | LengthDecoder


def decoder_of(head: RequestHead, max_body: int, limits: HttpLimits) -> BodyDecoder:
    """What finds the end of the body that follows *head*."""
    if head.chunked:
        return ChunkedDecoder(limits, max_body)
    return LengthDecoder(head.content_length or 0)


class BodyReader:
    """Reads one body to its end: small ones into memory, others into a file.

    :ivar finished: all of it is here.
    :ivar length: bytes of it that are here.
    """

    def __init__(
        self,
        head: RequestHead,
        max_body: int,
        limits: HttpLimits,
        folder: str,
        space: BufferSpace,
    ) -> None:
        self._decoder = decoder_of(head, max_body, limits)
        self._memory_limit = limits.body_memory
        self._folder = folder
        self._space = space
        self._claimed = 0
        self._pieces: list[bytes] = []
        self._spool: Spool | None = None
        self.length = 0
        self.finished = False

    def feed(self, data: bytes) -> bytes:
        """Take in *data*; answer what follows the body.

        :raises Refusal: 400, 413 or 431; 503 when there is no room for it.
        """
        decoder = self._decoder
        body = decoder.feed(data)
        self.finished = decoder.finished
        self.length += len(body)
        if self._spool is None:
            self._pieces.append(body)
            if self.length > self._memory_limit:
                self._spill()
            elif not self.finished and body:
                # One that came in one piece is not worth the counting.
                if self._space.claim_memory(len(body)):
                    self._claimed += len(body)
                else:
                    self._spill()
        else:
            self._append(self._spool, body)
        return decoder.rest if self.finished else b""

    def take(self) -> tuple[bytes, int | None]:
        """The body in memory, or the descriptor of its file, now the caller's.

        :raises Refusal: 503 when there are no descriptors.
        """
        if self._spool is None:
            body = b"".join(self._pieces)
            self.close()
            return body, None
        try:
            return b"", self._spool.detach()
        except OSError as error:
            raise Refusal(503, f"no descriptor for the body: {error}") from error

    def close(self) -> None:
        """Give back what is held; harmless after `take`."""
        self._pieces = []
        self._space.memory -= self._claimed
        self._claimed = 0
        if self._spool is not None:
            self._spool.close()

    def _spill(self) -> None:
        data = b"".join(self._pieces)
        self._pieces = []
        self._space.memory -= self._claimed
        self._claimed = 0
        try:
            self._spool = Spool(self._folder, self._space)
        except OSError as error:
            raise Refusal(503, f"no file for the body: {error}") from error
        self._append(self._spool, data)

    def _append(self, spool: Spool, data: bytes) -> None:
        if spool.append(data) < len(data):
            raise Refusal(503, f"no room on disk for the body: {spool.lacks}")
