"""What `passtwist requests --json` prints: the requests in flight.

Runs in: the controller.  Nothing is kept for it: it is put together from what
the pool and the connections know when somebody asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from passtwist.service.sessions.session import HELD, QUEUED, RETRYING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from passtwist.model import WorkerId
    from passtwist.pool import Pool
    from passtwist.service.gates import Gate
    from passtwist.service.running import RunningWorker
    from passtwist.service.sessions.session import Session


class InFlight:
    """All requests that wait or run.

    :param gates: the gateway's.
    :param workers: the driver's.
    :param now: seconds on the gateway's clock.
    """

    def __init__(
        self,
        pool: Pool,
        gates: Mapping[str, Gate],
        workers: Mapping[WorkerId, RunningWorker],
        now: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._gates = gates
        self._workers = workers
        self._now = now

    def page(self) -> dict[str, Any]:
        """The oldest first; times in seconds."""
        now = self._now()
        found = sorted(self._all(), key=lambda one: one[0].queued_at)
        return {"requests": [_described(one, state, now) for one, state in found]}

    def _all(self) -> Iterator[tuple[Session, str]]:
        for gate in self._gates.values():
            for session in gate.held():
                yield session, HELD
        for ticket in self._pool.waiting():
            session = cast("Session", ticket)
            yield session, RETRYING if session.attempts else QUEUED
        for running in self._workers.values():
            if running.link is not None:
                yield from running.link.in_flight()


def _described(session: Session, state: str, now: float) -> dict[str, Any]:
    has_worker = session.worker_pid != 0
    until = session.started_at if has_worker else now
    return {
        "number": session.number,
        "app": session.app,
        "pid": session.worker_pid,
        "state": state,
        "method": session.request.method.decode("latin-1"),
        "path": session.request.path.decode("latin-1"),
        "attempts": session.attempts,
        "age_s": round(now - session.queued_at, 3),
        "waited_s": round(until - session.queued_at, 3),
        "runs_s": round(now - session.started_at, 3) if has_worker else None,
    }
