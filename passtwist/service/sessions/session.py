"""One request on its way: queued, then in a worker.

Runs in: the controller; one object for every request, so it is small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from zope.interface import implementer

from passtwist.api.interfaces import IResponder, ISession

if TYPE_CHECKING:
    from passtwist.api.failures import RequestFailure
    from passtwist.api.interfaces import IRequest, ITunnelEnd
    from passtwist.model import WorkerId
    from passtwist.service.sessions.ahead import Ahead

# The states of a request in flight.
HELD = "held"  # waits for its app to be restarted
QUEUED = "queued"  # waits for a worker
RETRYING = "retrying"  # waits again: its worker was gone before it had begun
CONNECTING = "connecting"  # has a worker, whose connection is not there yet
SENT = "sent"  # its worker has not begun it
RUNNING = "running"  # the app is at it
RESPONDING = "responding"  # the app has begun to answer
UPGRADED = "upgraded"  # it is no request any more, but a tunnel
ABANDONED = "abandoned"  # its client has left; the app goes on


class Carrier(Protocol):
    """The connection that has a running session."""

    def pause(self) -> None:
        """Take no more from the worker."""

    def resume(self) -> None:
        """Go on."""

    def discard(self) -> None:
        """The session was abandoned: end a response that does not end."""


class AheadCarrier(Protocol):
    """The connection that a waiting session's request was sent ahead on."""

    @property
    def ahead(self) -> Ahead:
        """What was sent."""

    def settle(self) -> None:
        """See `connection.Connection.settle`."""


class Queue(Protocol):
    """Where a waiting session can be taken out."""

    def cancel(self, session: Session) -> None:
        """The session will not be started any more."""


@implementer(IResponder)
class Nobody:
    """Takes what is left of a session whose client is gone."""

    def answer(self, head: bytes, body: bytes) -> None:
        """Drop it."""

    def begin(self, head: bytes) -> None:
        """Drop it."""

    def write(self, data: bytes | memoryview) -> None:
        """Drop it."""

    def finish(self) -> None:
        """Drop it."""

    def interim(self, head: bytes) -> None:
        """Drop it."""

    def upgrade(self, head: bytes, worker: ITunnelEnd) -> ITunnelEnd | None:
        """Want none."""
        return None

    def fail(self, failure: RequestFailure) -> None:
        """Drop it."""


NOBODY = Nobody()


@implementer(ISession)
class Session:
    """See `ISession`.

    :ivar number: what the worker writes on its scoreboard before it calls
        the app; unique over the controller's life, never 0.
    :ivar carrier: the connection that has it, None while queued or ended.
    :ivar ahead: while queued, the connection whose worker finds its request when it
        has done the present one; None for none.
    :ivar ended: its responder has had the last call.
    """

    __slots__ = (
        "_queue",
        "ahead",
        "app",
        "attempts",
        "carrier",
        "ended",
        "number",
        "queued_at",
        "request",
        "responder",
        "spawn_method",
        "started_at",
        "worker",
        "worker_pid",
    )

    def __init__(
        self,
        queue: Queue,
        app: str,
        number: int,
        request: IRequest,
        responder: IResponder,
        now: float,
    ) -> None:
        self._queue = queue
        self.app = app
        self.number = number
        self.request = request
        self.responder = responder
        self.queued_at = now
        self.started_at = 0.0
        self.attempts = 0
        self.worker: int | WorkerId = 0
        self.worker_pid = 0
        self.spawn_method = ""
        self.carrier: Carrier | None = None
        self.ahead: AheadCarrier | None = None
        self.ended = False

    @property
    def abandoned(self) -> bool:
        """The client is gone."""
        return self.responder is NOBODY

    def abandon(self) -> None:
        """See `ISession.abandon`."""
        if self.ended or self.responder is NOBODY:
            return
        self.responder = NOBODY
        if self.carrier is not None:
            self.carrier.discard()
        else:
            self._queue.cancel(self)

    def pause(self) -> None:
        """See `ISession.pause`."""
        if self.carrier is not None:
            self.carrier.pause()

    def resume(self) -> None:
        """See `ISession.resume`."""
        if self.carrier is not None:
            self.carrier.resume()

    def fail(self, failure: RequestFailure) -> None:
        """Tell the responder, once, that there will be no answer."""
        if not self.ended:
            self.ended = True
            self.carrier = None
            self.responder.fail(failure)
