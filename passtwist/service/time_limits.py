"""`max_request_time`: ends requests that take too long, with their workers.

Runs in: the controller.

No timer for each request: all that run are looked at, in one go, when the
first of them may be overdue.  One that begins after a look can't be overdue
before the shortest of the limits has passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from passtwist.api.failures import NoStacks, RequestFailure
from passtwist.api.requests import variable
from passtwist.pool import RequestOverran

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

    from passtwist.api.interfaces import IWorker
    from passtwist.api.reactors import Reactor
    from passtwist.model import WorkerId
    from passtwist.pool import Event
    from passtwist.service.apps import App
    from passtwist.service.running import RunningWorker
    from passtwist.service.sessions.links import Link
    from passtwist.service.sessions.session import Session

# Between two looks: at least, however many requests are nearly overdue; and at
# most, as limits may change and nobody says so.
AT_LEAST = 0.1  # seconds
AT_MOST = 5.0  # seconds
# From TERM to KILL.  In that time the other requests of the worker may end, and
# with them the worker.
GRACE = 5.0  # seconds


class TimeLimits:
    """Watches the requests of apps with a limit.

    :param now: seconds on the gateway's clock.
    :param workers: the driver's.
    :param tell: tells the pool what happened.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(
        self,
        reactor: Reactor,
        now: Callable[[], float],
        apps: Mapping[str, App],
        workers: Mapping[WorkerId, RunningWorker],
        tell: Callable[[Event], None],
    ) -> None:
        self._reactor = reactor
        self._now = now
        self._apps = apps
        self._workers = workers
        self._tell = tell
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        """Begin to watch."""
        delay = AT_MOST
        try:
            delay = self._look()
        finally:
            # Whatever is wrong with one worker, the others are watched.
            self._timer = self._reactor.callLater(delay, self._again)

    def stop(self) -> Deferred[None]:
        """Cease; fires at once."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return succeed(None)

    def _again(self) -> None:
        self._timer = None
        self.start()

    def _look(self) -> float:
        """End what is overdue; in how many seconds to look again."""
        limits = {
            name: app.settings.max_request_time
            for name, app in self._apps.items()
            if app.settings.max_request_time
        }
        if not limits:
            return AT_MOST
        now = self._now()
        following = now + min(AT_MOST, *limits.values())
        for number, running in tuple(self._workers.items()):
            limit = limits.get(running.app)
            if limit is None or running.link is None:
                continue
            for session, since, is_begun in tuple(running.link.times()):
                # What the worker says of it is believed only so far.
                since = min(since, session.started_at + limit)
                if since + limit > now:
                    following = min(following, since + limit)
                elif is_begun:
                    self._overran(number, running, session, now - since)
                elif not running.is_condemned:
                    self._not_taken(number, running, now - since)
        return max(AT_LEAST, following - now)

    def _overran(
        self, number: WorkerId, running: RunningWorker, session: Session, age: float
    ) -> None:
        worker, link = _of(running)
        what = (
            f"app {running.app}: {described(session)} runs for {age:.1f} s "
            f"(max_request_time), request {_id_of(session)}"
        )
        self._condemn(number, running, what)
        reason = f"it ran for {age:.1f} s in worker {worker.pid} (max_request_time)"
        link.cut(session, RequestFailure(504, reason))

    def _not_taken(self, number: WorkerId, running: RunningWorker, age: float) -> None:
        """It is busy with something else than a request.

        What it was given is retried when it is dead, and not before: until then it
        may still begin it.
        """
        what = f"app {running.app}: a request was not begun for {age:.1f} s"
        self._condemn(number, running, what)

    def _condemn(self, number: WorkerId, running: RunningWorker, what: str) -> None:
        worker, link = _of(running)
        if running.is_condemned:
            self.log.error("{what}; worker {pid} is ended", what=what, pid=worker.pid)
            return
        running.is_condemned = True
        # Before anything of it is ended, so that it is shown at what it is.
        stacks = worker.stacks()
        # The pool first: what the link gives back must not be routed here.
        self._tell(RequestOverran(number))
        link.condemn()

        def told(text: str) -> None:
            self.log.error(
                "{what}; worker {pid} is ended; it is here:\n{stacks}",
                what=what,
                pid=worker.pid,
                stacks=text.rstrip(),
            )

        def silent(failure: Failure) -> None:
            failure.trap(NoStacks)
            self.log.error(
                "{what}; worker {pid} is ended; it does not tell where it is: {why}",
                what=what,
                pid=worker.pid,
                why=str(failure.value),
            )

        stacks.addCallbacks(told, silent)
        stacks.addErrback(lambda failure: self.log.failure("telling stacks", failure))
        stacks.addCallback(lambda _: self._end(number, running, worker))

    def _end(self, number: WorkerId, running: RunningWorker, worker: IWorker) -> None:
        if number not in self._workers:
            return  # it has ended by itself
        running.asked_to_leave = True
        worker.terminate()
        if running.deadline is None:
            running.deadline = self._reactor.callLater(
                GRACE, self._too_slow, running, worker
            )

    def _too_slow(self, running: RunningWorker, worker: IWorker) -> None:
        running.deadline = None
        self.log.warn(
            "worker {pid} of {app} has not ended {seconds:g} s after it was asked to; "
            "killing it",
            pid=worker.pid,
            app=running.app,
            seconds=GRACE,
        )
        worker.kill()


def described(session: Session) -> str:
    """Method and path; clients chose them, so nothing in them steers a terminal."""
    request = session.request
    text = f"{request.method.decode('latin-1')} {request.path.decode('latin-1')}"
    return text.encode("unicode_escape").decode("ascii")


def _id_of(session: Session) -> str:
    return variable(session.request, b"HTTP_X_REQUEST_ID").decode("latin-1")


def _of(running: RunningWorker) -> tuple[IWorker, Link]:
    """Worker and link of one that has sessions."""
    assert running.worker is not None and running.link is not None
    return running.worker, running.link
