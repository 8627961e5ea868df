"""Whether a new worker answers, before anybody is sent to it.

Runs in: the controller.

The question goes over a connection of its own, which is closed before the
worker's connections for visitors are opened: to the worker it is a visitor's.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import implementer

from passtwist.api.interfaces import IResponder
from passtwist.errors import PasstwistError, SpawnError
from passtwist.model import HEALTH_CHECK, Step
from passtwist.service.sessions.connection import Connection
from passtwist.service.sessions.http_carrier import HttpCarrier
from passtwist.service.sessions.session import Session
from passtwist.wire.http_requests import encode_request_head
from passtwist.wire.journey import HTTP

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall

    from passtwist.api.failures import RequestFailure
    from passtwist.api.interfaces import IRequest, ITunnelEnd, IWorker
    from passtwist.api.reactors import Reactor
    from passtwist.api.settings import AppSettings

    # What to ask an app for; raises PasstwistError when that can't be asked.
    MakeRequest = Callable[[AppSettings], IRequest]

_STATUS = re.compile(rb"[0-9]{3}")
KEPT = 2048  # bytes of the body, for who has to find out what is wrong


def has_loaded_code(worker: IWorker) -> bool:
    """Whether the app's code was loaded for this worker, so just now.

    Not if it was forked from what has been there.  Files may have changed since
    another worker of its generation was asked.
    """
    steps = (step for step in worker.journey if isinstance(step, Step))
    return any(step.name == "load_app" for step in steps)


@implementer(IResponder)
class _Answer:
    """Takes the answer; *come* is called when it is whole, or fails with a reason."""

    def __init__(self, come: Callable[[str], None]) -> None:
        self.head = b""
        self.body = b""
        self._come = come

    def answer(self, head: bytes, body: bytes) -> None:
        self.begin(head)
        self.write(body)
        self.finish()

    def begin(self, head: bytes) -> None:
        self.head = head

    def write(self, data: bytes | memoryview) -> None:
        self.body += data[: KEPT - len(self.body)]

    def finish(self) -> None:
        self._come(self._fault())

    def interim(self, head: bytes) -> None:
        """An answer is still to come."""

    def upgrade(self, head: bytes, worker: ITunnelEnd) -> ITunnelEnd | None:
        return None  # nothing of the kind was asked for

    def fail(self, failure: RequestFailure) -> None:
        self._come(f"was not answered: {failure.reason}")

    def _fault(self) -> str:
        line = self.head.partition(b"\r\n")[0]
        if not _STATUS.match(line):
            return "was answered by what has no status"
        if line[:1] in b"23":
            return ""
        return f"was answered {line.decode('latin-1')!r}"


class HealthCheck:
    """Asks one worker once.

    :ivar done: fires when the worker has answered well; errbacks with SpawnError.
    """

    def __init__(
        self,
        reactor: Reactor,
        worker: IWorker,
        app: AppSettings,
        number: int,
        make_request: MakeRequest,
    ) -> None:
        """
        :param number: of the session, which no other has.
        """
        self.done: Deferred[None] = Deferred()
        self._reactor = reactor
        self._worker = worker
        self._app = app
        self._number = number
        self._make_request = make_request
        self._answer = _Answer(self._answered)
        self._connection: Connection | HttpCarrier | None = None
        self._timer: IDelayedCall | None = None
        self._begun = 0.0
        self._patience = 0.0

    def begin(self, patience: float) -> Deferred[None]:
        """Ask, and wait for *patience* seconds.

        :returns: `done`.
        """
        self._begun = time.monotonic()
        self._patience = patience
        try:
            request = self._make_request(self._app)
            # It is not asked before it says that it listens to this connection.
            self._session = Session(
                self, self._app.name, self._number, request, self._answer, 0.0
            )
            self._ask(request)
        except (PasstwistError, OSError) as error:
            self._answered(f"could not be asked for: {error}")
        else:
            self._timer = self._reactor.callLater(patience, self._too_slow)
        return self.done

    def _ask(self, request: IRequest) -> None:
        path = self._worker.socket_path
        if self._worker.protocol != HTTP:
            self._connection = Connection(self._reactor, self, path)
            return
        head = encode_request_head(request.pairs)
        self._session.worker_pid = self._worker.pid
        self._connection = carrier = HttpCarrier(self._reactor, self, path)
        carrier.run(self._session, head, b"")

    # --- told by the connection: see connection_owner ----------------------------

    def connection_ready(self, connection: Connection) -> None:
        """The worker has accepted it."""
        self._session.worker_pid = self._worker.pid
        connection.run(self._session)

    def session_ended(self, connection: Connection | HttpCarrier) -> None:
        """The answer is whole; the responder is told next."""

    def connection_lost(
        self, connection: Connection | HttpCarrier, session: Session | None
    ) -> None:
        """It is closed, by the worker or because it spoke nonsense."""
        if session is None or not session.ended:
            self._answered("was not answered: the worker closed the connection")

    def is_begun(self, connection: Connection, session: Session) -> bool:
        """Nothing follows this one."""
        return False

    def follower_lost(self, session: Session) -> None:
        """Nothing follows this one."""

    def cancel(self, session: Session) -> None:
        """See `session.Queue`; nobody abandons this one."""

    # --- inside ---------------------------------------------------------------

    def _too_slow(self) -> None:
        self._timer = None
        self._answered(f"was not answered within {self._patience:.1f} s")

    def _answered(self, fault: str) -> None:
        if self.done.called:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._connection is not None:
            self._connection.close()
        if fault:
            self.done.errback(self._error(fault))
        else:
            self.done.callback(None)

    def _error(self, fault: str) -> SpawnError:
        seconds = time.monotonic() - self._begun
        step = Step(
            "controller", 0, "check_health", "failed", self._begun, round(seconds, 6)
        )
        answer = self._answer
        detail = (answer.head + b"\r\n" + answer.body).decode("utf-8", "replace")
        return SpawnError(
            HEALTH_CHECK,
            f"app {self._app.name}: its health check {self._app.health_check} {fault}",
            "A worker serves when that path is answered with a status of 2xx or 3xx.",
            detail.strip(),
            journey=(*self._worker.journey, step),
        )
