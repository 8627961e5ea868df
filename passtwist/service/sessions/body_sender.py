"""Sends a streamed body to the worker whose app reads it.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from zope.interface import implementer

from passtwist.api.interfaces import IBodyTaker
from passtwist.wire.frames import encode_frame
from passtwist.wire.session import END, FAIL, encode_body

if TYPE_CHECKING:
    from passtwist.api.interfaces import IBodyStream


class Line(Protocol):
    """The connection to the worker."""

    def send(self, data: bytes) -> bool:
        """Send *data*; False when something waits until the worker reads on."""


@implementer(IBodyTaker)
class BodySender:
    """One body on its way.

    :ivar is_over: the worker was told of its end.
    """

    def __init__(self, line: Line, stream: IBodyStream) -> None:
        self._line = line
        self._stream: IBodyStream | None = stream
        self.is_over = False

    def begin(self) -> None:
        """The app reads."""
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
        return self._line.send(encode_body(data))

    def take_end(self) -> None:
        """See `IBodyTaker.take_end`."""
        self._end(END)

    def take_failure(self) -> None:
        """See `IBodyTaker.take_failure`."""
        self._end(FAIL)

    def _end(self, kind: int) -> None:
        if not self.is_over:
            self.is_over = True
            self._line.send(encode_frame(kind))
