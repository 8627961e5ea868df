"""A client's connection apart from its requests: its states, its pace, its end.

Runs in: the controller.

A connection that ends with bytes unread would be reset by the kernel, and then the
client could not read what it was told last.  So who was refused may go on sending for
a while, into the void (RFC 9112, 9.6).
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import Protocol

from passtwist.http.deadlines import NEVER

if TYPE_CHECKING:
    from passtwist.http.door import Door
    from passtwist.http.front import FrontEnd
    from passtwist.http.output import Output


class State(Enum):
    """What a connection is doing; the order of a request's life, then its end."""

    HEAD = "waiting for a request's head"
    BODY = "reading its body"
    STREAMING = "waiting for its response, and for the rest of its body"
    ANSWERING = "waiting for its response"
    FLUSHING = "waiting until the client has taken the response"
    CLOSING = "the same, and then it ends"
    TUNNEL = "passing on bytes, as it was upgraded"
    LINGERING = "our side is closed, the client may read what we said"
    CLOSED = "over"


AT_A_REQUEST = (
    State.BODY,
    State.STREAMING,
    State.ANSWERING,
    State.FLUSHING,
    State.CLOSING,
)


class ClientLink(Protocol):
    """The base of a `Connection`, which is its only heir.

    :ivar door: which listening port it came in by.
    :ivar deadline: reactor seconds; see `passtwist.http.deadlines`.
    :ivar output: what goes out to the client; from `connectionMade` on.
    """

    transport: Any  # any of Twisted's stream transports
    output: Output
    _plain: bool  # the transport is a socket, without TLS or another wrapper

    def __init__(self, front: FrontEnd, door: Door) -> None:
        self.front = front
        self.door = door
        self.deadline = NEVER
        self._limits = front.limits
        self._state = State.HEAD
        self._reading_paused = False
        self._linger = False
        self._swallowed = 0

    @property
    def is_plain(self) -> bool:
        """Its transport is a socket, without TLS or another wrapper."""
        return self._plain

    def abort(self) -> None:
        """End the connection so that nothing sent can be taken for complete."""
        self._state = State.CLOSED
        self.deadline = NEVER
        self._leave_exchange()
        self.transport.abortConnection()

    def _leave_exchange(self) -> None:
        """The connection is over, and with it the request that it is at."""
        raise AssertionError("an heir's business")

    def _close(self) -> None:
        """All is said: close our side, and if need be let the client finish."""
        self.output.detach()
        if not (self._linger and self._plain):
            self._lose()
            return
        self._state = State.LINGERING
        self.deadline = self.front.watch.after(self._limits.linger)
        self._resume_reading()
        self.transport.loseWriteConnection()

    def _lose(self) -> None:
        self._state = State.CLOSED
        # Over TLS the client may refuse to say goodbye.
        self.deadline = self.front.watch.after(self._limits.linger)
        self.output.detach()
        self.transport.loseConnection()

    def _swallow(self, size: int) -> None:
        """So many bytes came that nobody wants any more."""
        self._swallowed += size
        if self._swallowed > self._limits.linger_bytes:
            if self._state is State.LINGERING:
                self._lose()
            elif self._state is State.CLOSING:
                self._pause_reading()

    def _pause_reading(self) -> None:
        if not self._reading_paused:
            self._reading_paused = True
            self.transport.pauseProducing()

    def _resume_reading(self) -> None:
        if self._reading_paused:
            self._reading_paused = False
            self.transport.resumeProducing()
