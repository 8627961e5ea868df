"""The pool as the front end sees it: requests in, sessions out.

Runs in: the controller.  Per request it costs two plain calls of the pool.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING, cast

from zope.interface import implementer

from passtwist.api.failures import RequestFailure
from passtwist.api.interfaces import IPool
from passtwist.pool import GrantSession, RejectCheckout, WorkerLost
from passtwist.service.sessions.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from passtwist.api.interfaces import IRequest, IResponder
    from passtwist.errors import SpawnError
    from passtwist.model import WorkerId
    from passtwist.pool import Action, Event, Pool
    from passtwist.service.gates import Gate
    from passtwist.service.sessions.links import Link
    from passtwist.service.sessions.session import AheadCarrier

    Checkout = Callable[[str, Session, float], WorkerId | None]

# A request that no worker has begun goes to another one at most this often
# (DESIGN section 4).
MAX_ATTEMPTS = 3
# So long a request may lie ready for a busy worker while others begin with later ones.
AHEAD_PATIENCE = 0.002  # seconds


@implementer(IPool)
class Gateway:
    """Routes sessions to workers.

    :param now: seconds on a monotonic clock.
    :param perform: does what the pool wants done, apart from sessions.
    :param checkout: in place of the pool's, when somebody else has a say in it.
    :ivar links: the workers that take sessions.
    :ivar numbers: of sessions, each once.
    :ivar gates: what is before the pool, for the apps where something is.
    """

    def __init__(
        self,
        pool: Pool,
        now: Callable[[], float],
        perform: Callable[[Action], None],
        checkout: Checkout | None = None,
    ) -> None:
        self.pool = pool
        self.links: dict[WorkerId, Link] = {}
        self.gates: dict[str, Gate] = {}
        self.retried = 0
        self._now = now
        self._perform = perform
        self._checkout: Checkout = checkout or pool.checkout
        self.numbers = itertools.count(1)
        self._to_do: deque[Action] = deque()
        self._performing = False
        # Connections on which requests were sent ahead, and maybe are not any more.
        self._ahead: set[AheadCarrier] = set()
        self._settling = False

    def submit(self, app: str, request: IRequest, responder: IResponder) -> Session:
        """See `IPool.submit`."""
        now = self._now()
        session = Session(self, app, next(self.numbers), request, responder, now)
        if self.gates and self._is_held(session):
            return session
        worker = self._checkout(app, session, now)
        if worker is not None:
            session.started_at = now
            self.links[worker].run(session)
        if self.pool.outbox:
            self.follow()
        return session

    def admit(self, session: Session) -> None:
        """Route a session that a gate has held, or that no worker has begun."""
        now = self._now()
        try:
            worker = self._checkout(session.app, session, now)
        except KeyError:
            session.fail(RequestFailure(503, "the app is not there any more", 1))
            return
        if worker is not None:
            session.started_at = now
            self.links[worker].run(session)
        if self.pool.outbox:
            self.follow()

    def _is_held(self, session: Session) -> bool:
        gate = self.gates.get(session.app)
        return gate is not None and not gate.admits(session)

    def cancel(self, session: Session) -> None:
        """A waiting session's client is gone."""
        if session.ahead is not None:
            self._settle(session.ahead)
            if session.carrier is not None:
                session.carrier.discard()
            if session.carrier is not None or session.ended:
                return
        self.pool.cancel(session.app, session, self._now())
        if self.pool.outbox:
            self.follow()

    def tell(self, event: Event) -> None:
        """Tell the pool what happened and do what it wants done."""
        if self._ahead:
            # Whatever it decides about those who wait, it decides about requests
            # that nobody has begun.
            for connection in tuple(self._ahead):
                self._settle(connection)
            self._ahead.clear()
        self._to_do.extend(self.pool.handle(event, self._now()))
        self._work()

    def follow(self) -> None:
        """Do what the pool wants done after a checkout, an end or a cancel."""
        self._to_do.extend(self.pool.take_actions())
        self._work()

    def _work(self) -> None:
        if self._performing:
            return  # somebody up the stack is at it, and will come to ours
        self._performing = True
        try:
            while self._to_do:
                self._do(self._to_do.popleft())
        finally:
            self._performing = False

    def _do(self, action: Action) -> None:
        if isinstance(action, GrantSession):
            session = cast("Session", action.ticket)
            link = self.links.get(action.worker)
            if link is None:  # gone since the pool said so
                self.not_begun(session)
            else:
                session.started_at = self._now()
                link.run(session)
        elif isinstance(action, RejectCheckout):
            session = cast("Session", action.ticket)
            if session.ahead is not None:
                self._settle(session.ahead)
            error = cast("SpawnError | None", action.error)
            session.fail(
                RequestFailure(action.status, action.reason, action.retry_after, error)
            )
        else:
            self._perform(action)

    # --- told by the links ----------------------------------------------------

    def place_free(self, link: Link, begun: Session | None = None) -> Session | None:
        """See `links.Owner`."""
        now = self._now()
        if begun is None and self._ahead:
            # Those who were sent ahead have the next turn elsewhere, unless there
            # is nobody else.
            begun = self.next_for(link, now)
            if begun is None:
                self._free_first(link)
        ticket = self.pool.end_session(link.number, now, begun)
        session = cast("Session | None", ticket)
        if session is not None:
            session.started_at = now
            if session.ahead is not None:
                # It runs, whatever else has to be done now.
                session.ahead.ahead.take()
        if self.pool.outbox:
            self.follow()
        return session

    def next_for(self, link: Link, since: float) -> Session | None:
        """See `links.Owner`."""
        if self._settling:
            return None
        queue = cast("Iterable[Session]", self.pool.followers_for(link.number))
        for session in queue:
            other = session.ahead
            if other is None:
                return session
            if since - other.ahead.since > AHEAD_PATIENCE:
                self._free_first(link)
                return next(iter(queue), None)
        return None

    def sent_ahead(self, connection: AheadCarrier) -> None:
        """See `links.Owner`."""
        self._ahead.add(connection)

    def withdraw(self, session: Session, failure: RequestFailure) -> None:
        """See `links.Owner`."""
        self.pool.cancel(session.app, session, self._now())
        session.fail(failure)
        if self.pool.outbox:
            self.follow()

    def _free_first(self, link: Link) -> None:
        """Have the first of those back who wait for *link*'s worker or its like."""
        queue = cast("Iterable[Session]", self.pool.queue_of(link.number))
        while (first := next(iter(queue), None)) is not None:
            other = first.ahead
            if other is None:
                return
            self._settle(other)
            if first.ahead is other:
                raise AssertionError("a request that is neither ahead nor back")

    def _settle(self, connection: AheadCarrier) -> None:
        was_settling, self._settling = self._settling, True
        try:
            connection.settle()
        finally:
            self._settling = was_settling

    def not_begun(self, session: Session) -> None:
        """See `links.Owner`."""
        if session.abandoned:
            session.ended = True
            return
        if session.attempts >= MAX_ATTEMPTS:
            session.fail(
                RequestFailure(
                    502,
                    f"it was given to a worker {session.attempts} times, and none "
                    "has begun it",
                )
            )
            return
        self.retried += 1
        session.worker = session.worker_pid = 0
        session.started_at = 0.0
        self.admit(session)

    def link_lost(self, link: Link) -> None:
        """See `links.Owner`."""
        self.tell(WorkerLost(link.number))
