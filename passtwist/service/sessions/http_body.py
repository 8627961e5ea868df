"""A streamed body on its way to a worker that speaks HTTP/1.1.

Runs in: the controller.

It is sent as it comes: such a worker has no way to say when its app begins to read,
other than to leave the bytes where they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from zope.interface import implementer

from passtwist.api.interfaces import IBodyTaker

if TYPE_CHECKING:
    from passtwist.api.interfaces import IBodyStream


class Line(Protocol):
    """The connection to the worker."""

    def send(self, data: bytes) -> bool:
        """Send *data*; False when something waits until the worker reads on."""

    def send_no_more(self) -> None:
        """Let the worker see that the request ends here, in its middle."""


@implementer(IBodyTaker)
class HttpBody:
    """One body.

    :param is_chunked: its length is not known.
    :ivar is_over: it was sent whole.
    """

    def __init__(self, line: Line, stream: IBodyStream, is_chunked: bool) -> None:
        self._line = line
        self._stream: IBodyStream | None = stream
        self._is_chunked = is_chunked
        self.is_over = False

    def begin(self) -> None:
        """The head is on its way."""
        if self._stream is not None:
            self._stream.begin(self)

    def proceed(self) -> None:
        """All that waited was sent."""
        if self._stream is not None and not self.is_over:
            self._stream.proceed()

    def leave(self) -> None:
        """The response has ended, or the worker."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.leave()

    def take(self, data: bytes) -> bool:
        """See `IBodyTaker.take`."""
        if self._is_chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        return self._line.send(data)

    def take_end(self) -> None:
        """See `IBodyTaker.take_end`."""
        if not self.is_over:
            self.is_over = True
            if self._is_chunked:
                self._line.send(b"0\r\n\r\n")

    def take_failure(self) -> None:
        """See `IBodyTaker.take_failure`."""
        self._line.send_no_more()
