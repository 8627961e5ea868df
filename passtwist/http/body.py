"""Takes in a request's body, before any worker sees the request.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.http.chunked import ChunkedDecoder
from passtwist.http.refusal import Refusal
from passtwist.http.spool import Spool

if TYPE_CHECKING:
    from passtwist.http.config import HttpLimits
    from passtwist.http.scanner import RequestHead


def check_announced(head: RequestHead, max_body: int) -> None:
    """Refuse a body that is announced as too large.

    :raises Refusal: 413; with the body still to come, so it closes.
    """
    if max_body and head.content_length and head.content_length > max_body:
        raise Refusal(413, f"the body has more than {max_body} bytes")


class BodyReader:
    """Reads one body to its end: small ones into memory, others into a file.

    :ivar finished: all of it is here.
    :ivar length: bytes of it that are here.
    """

    def __init__(
        self, head: RequestHead, max_body: int, limits: HttpLimits, folder: str
    ) -> None:
        self._chunked = ChunkedDecoder(limits, max_body) if head.chunked else None
        self._left = head.content_length or 0
        self._memory_limit = limits.body_memory
        self._folder = folder
        self._pieces: list[bytes] = []
        self._spool: Spool | None = None
        self.length = 0
        self.finished = False

    def feed(self, data: bytes) -> bytes:
        """Take in *data*; answer what follows the body.

        :raises Refusal: 400, 413 or 431; 503 when there is no room on disk.
        """
        if self._chunked is not None:
            self._store(self._chunked.feed(data))
            self.finished = self._chunked.finished
            return self._chunked.rest if self.finished else b""
        body = data[: self._left]
        self._left -= len(body)
        self._store(body)
        self.finished = not self._left
        return data[len(body) :]

    def take(self) -> tuple[bytes, int | None]:
        """The body in memory, or the descriptor of its file, now the caller's.

        :raises Refusal: 503 when there are no descriptors.
        """
        if self._spool is None:
            return b"".join(self._pieces), None
        try:
            return b"", self._spool.detach()
        except OSError as error:
            raise Refusal(503, f"no descriptor for the body: {error}") from error

    def close(self) -> None:
        """Give back what is held; harmless after `take`."""
        self._pieces = []
        if self._spool is not None:
            self._spool.close()

    def _store(self, data: bytes) -> None:
        self.length += len(data)
        if self._spool is None:
            self._pieces.append(data)
            if self.length <= self._memory_limit:
                return
            data = b"".join(self._pieces)
            self._pieces = []
            try:
                self._spool = Spool(self._folder)
            except OSError as error:
                raise Refusal(503, f"no file for the body: {error}") from error
        if self._spool.append(data) < len(data):
            raise Refusal(503, "no room on disk for the body")
