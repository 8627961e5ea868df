"""The body of a request that its worker gets as it comes.

Runs in: the controller.

Before the app reads, a little is kept, and then the client has to wait; afterwards
everything goes on at once, at the pace of the slower of both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from zope.interface import implementer

from passtwist.api.interfaces import IBodyStream

if TYPE_CHECKING:
    from passtwist.api.interfaces import IBodyTaker
    from passtwist.http.body import BodyDecoder


class Source(Protocol):
    """The client's connection."""

    def body_wanted(self) -> None:
        """The app waits for the first byte, which has not come."""

    def hold_body(self) -> None:
        """Take no more of it from the client."""

    def release_body(self) -> None:
        """Go on."""


@implementer(IBodyStream)
class BodyStream:
    """See `passtwist.api.interfaces.IBodyStream`.

    :ivar length: bytes of it that have come.
    :ivar finished: it has come whole.
    """

    def __init__(self, source: Source, decoder: BodyDecoder, room: int) -> None:
        """
        :param room: bytes that are kept for an app that does not read yet.
        """
        self._source = source
        self._decoder = decoder
        self._room = room
        self._kept: list[bytes] = []
        self._size = 0  # of what is kept
        self._taker: IBodyTaker | None = None
        self._has_room = False  # the taker
        self._is_left = False
        self._is_broken = False
        self.length = 0
        self.finished = False

    # --- the client's side --------------------------------------------------------

    def feed(self, data: bytes) -> bytes:
        """Take in *data*; answer what follows the body.

        :raises Refusal: 400, 413 or 431.
        """
        body = self._decoder.feed(data)
        self.finished = self._decoder.finished
        self.length += len(body)
        if body and not self._is_left:
            self._kept.append(body)
            self._size += len(body)
        if self._taker is not None:
            self._give()
        elif self._size >= self._room and not self.finished:
            self._source.hold_body()
        return self._decoder.rest if self.finished else b""

    def take(self) -> bytes:
        """What has come; to be called before anybody has begun it."""
        return b"".join(self._kept)

    def break_off(self) -> None:
        """The client has left, or can't be understood: no more will come."""
        if self.finished or self._is_broken:
            return
        self._is_broken = True
        self._forget()
        if self._taker is not None:
            self._taker.take_failure()

    # --- the worker's side ----------------------------------------------------------

    def begin(self, taker: IBodyTaker) -> None:
        if self._is_broken or self._is_left:
            # Another worker may have had a part of it.
            taker.take_failure()
            return
        self._taker = taker
        self._has_room = True
        if not self.length and not self.finished:
            self._source.body_wanted()
        self._give()

    def proceed(self) -> None:
        self._has_room = True
        if not self._is_broken:
            self._give()

    def leave(self) -> None:
        self._is_left = True
        self._taker = None
        self._forget()

    # --- inside -----------------------------------------------------------------------

    def _give(self) -> None:
        taker = self._taker
        if taker is None:
            return
        if self._has_room and self._kept:
            data = b"".join(self._kept)
            self._forget()
            self._has_room = taker.take(data)
        if self.finished:
            if not self._kept:
                self._taker = None
                taker.take_end()
        elif self._has_room:
            self._source.release_body()
        else:
            self._source.hold_body()

    def _forget(self) -> None:
        self._kept = []
        self._size = 0
