"""What carries the sessions of one worker, whatever protocol the worker speaks.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from passtwist.service.sessions.http_link import HttpLink
from passtwist.service.sessions.link import WorkerLink
from passtwist.wire.journey import HTTP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twisted.internet.defer import Deferred

    from passtwist.api.failures import RequestFailure
    from passtwist.api.interfaces import IWorker
    from passtwist.api.reactors import Reactor
    from passtwist.model import WorkerId
    from passtwist.service.sessions.session import AheadCarrier, Session


class Link(Protocol):
    """The connections of one worker.

    :ivar requests: how many it has finished.
    :ivar is_lost: the worker can't be reached any more.
    """

    number: WorkerId
    worker: IWorker
    requests: int
    is_lost: bool

    @property
    def running(self) -> Mapping[Any, Session]:
        """What its connections carry now."""

    def connect(self) -> Deferred[None]:
        """Fires when it can carry sessions; errbacks with OSError."""

    def run(self, session: Session) -> None:
        """Carry *session*; the pool has counted it already."""

    def in_flight(self) -> Iterator[tuple[Session, str]]:
        """The sessions that it has, each with its state."""

    def times(self) -> Iterator[tuple[Session, float, bool]]:
        """The requests that it has: since when, and whether they were begun."""

    def end_tunnels(self) -> None:
        """The worker is to leave: end what was upgraded."""

    def condemn(self) -> None:
        """The worker is going to be ended: what it has may end, nothing begins."""

    def cut(self, session: Session, failure: RequestFailure) -> None:
        """End a running session, whose answer nobody shall get any more."""

    def worker_exited(self) -> None:
        """The process is reaped; the pool knows already."""

    def close(self) -> None:
        """Close all connections; the worker sees end-of-file."""


class Owner(Protocol):
    """Who routes sessions to workers."""

    def place_free(self, link: Link, begun: Session | None = None) -> Session | None:
        """A session of the worker has ended; answers with the next one for it.

        :param begun: the one that was sent ahead: that is the next.
        """

    def next_for(self, link: Link, since: float) -> Session | None:
        """One that waits, whose request may be sent ahead to the worker.

        :param since: now, on the owner's clock.
        """

    def sent_ahead(self, connection: AheadCarrier) -> None:
        """It was: settle it before anything is decided about who waits."""

    def withdraw(self, session: Session, failure: RequestFailure) -> None:
        """It waits in vain: it was sent ahead, taken, and will not be answered."""

    def not_begun(self, session: Session) -> None:
        """The worker went away before it began *session*: give it to another."""

    def link_lost(self, link: Link) -> None:
        """The worker can't be reached any more."""


def link_to(reactor: Reactor, owner: Owner, number: WorkerId, worker: IWorker) -> Link:
    """A link to *worker* by the protocol that it has announced."""
    if worker.protocol == HTTP:
        return HttpLink(reactor, owner, number, worker)
    return WorkerLink(reactor, owner, number, worker)
