"""Ends the upgraded connections of workers that are to leave.

Runs in: the controller.

A worker that is to leave finishes its sessions first, and a connection that was
upgraded may last for days.  Whoever is at its end connects again, and comes to
another worker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed

from passtwist.pool.states import WorkerState
from passtwist.service.sessions.session import UPGRADED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twisted.internet.interfaces import IDelayedCall

    from passtwist.api.reactors import Reactor
    from passtwist.model import WorkerId
    from passtwist.pool import Pool
    from passtwist.service.running import RunningWorker

EVERY = 1.0  # seconds between two looks


class Tunnels:
    """Looks who leaves, as long as there is anything upgraded.

    :param workers: the driver's.
    """

    def __init__(
        self, reactor: Reactor, pool: Pool, workers: Mapping[WorkerId, RunningWorker]
    ) -> None:
        self._reactor = reactor
        self._pool = pool
        self._workers = workers
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        """Begin to look."""
        self._timer = self._reactor.callLater(EVERY, self._again)

    def stop(self) -> Deferred[None]:
        """Cease; fires at once."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return succeed(None)

    def _again(self) -> None:
        self._timer = None
        try:
            self._look()
        finally:
            self.start()

    def _look(self) -> None:
        having = {
            number: running.link
            for number, running in self._workers.items()
            if running.link is not None
            and any(state == UPGRADED for _, state in running.link.in_flight())
        }
        if not having:
            return
        view = self._pool.view()
        for workers in (*(app.workers for app in view.apps), view.leaving):
            for worker in workers:
                link = having.get(worker.id)
                if link is not None and worker.state is WorkerState.DRAINING:
                    link.end_tunnels()
