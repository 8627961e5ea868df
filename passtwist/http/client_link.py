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
from passtwist.http.sending import Sending

if TYPE_CHECKING:
    from passtwist.http.door import Door
    from passtwist.http.front import FrontEnd
    from passtwist.http.output import Output
    from passtwist.http.pace import Pace


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


# So long is waited for a piece of an answer that tells whether the client is there.
_SIGN = 1.0  # seconds

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
    :ivar has_ended: the client sends nothing more; reading is paused for good.
    :ivar output: what goes out to the client; from `connectionMade` on.
    """

    transport: Any  # any of Twisted's stream transports
    output: Output
    _sent_then = -1  # see `expect_sign`
    _plain: bool  # the transport is a socket, without TLS or another wrapper

    def __init__(self, front: FrontEnd, door: Door) -> None:
        self.front = front
        self.door = door
        self.deadline = NEVER
        self._limits = front.limits
        self._state = State.HEAD
        self.has_ended = False
        self._reading_paused = False
        self._linger = False
        self._swallowed = 0
        self._pace: Pace | None = None  # while a body is read
        self._sending: Sending | None = None  # while something waits for the client

    # --- deadlines ------------------------------------------------------------------

    def postpone(self, seconds: float) -> None:
        """See `HasDeadline.postpone`."""
        self.deadline += seconds
        for one in (self._pace, self._sending):
            if one is not None:
                one.postpone(seconds)

    def output_waits(self) -> None:
        """See `OutputOwner.output_waits`."""
        if self._sending is None and self._state is not State.CLOSED:
            now = self.front.watch.after(0)
            self._sending = Sending(self.transport, self.output, self._limits, now)
            self._set_deadline()

    def _is_in_time(self, now: float) -> bool:
        """As far as something is read or sent at all."""
        if self._pace is None:
            return self._sending is not None
        return self._pace.due > now

    def _set_deadline(self) -> None:
        """That of a request that is read, or of its answer that waits."""
        due = NEVER if self._pace is None else self._pace.due
        if self._sending is not None:
            now = self.front.watch.after(0)
            due = min(due, self._sending.next_look(now))
        self.deadline = due

    def expect_sign(self, sent: int) -> None:
        """The client has ended within an answer, of which it was sent so much."""
        self._sent_then = sent
        if not self.output.waiting:
            self.deadline = self.front.watch.after(_SIGN)

    # --- the end ----------------------------------------------------------------------

    @property
    def is_plain(self) -> bool:
        """Its transport is a socket, without TLS or another wrapper."""
        return self._plain

    def give_way(self) -> None:
        """See `Dispensable`."""
        self._lose()

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
        if self.has_ended or not (self._linger and self._plain):
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
            elif self._state is State.CLOSED and not self._plain:
                # TLS waits for the client's goodbye, which is behind all that.
                self.abort()
            elif self._state is State.CLOSING:
                self._pause_reading()

    def _pause_reading(self) -> None:
        if not self._reading_paused:
            self._reading_paused = True
            self.transport.pauseProducing()

    def _resume_reading(self) -> None:
        if self._reading_paused and not self.has_ended:
            self._reading_paused = False
            self.transport.resumeProducing()
