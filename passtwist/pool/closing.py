"""How the pool comes to its end.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.pool import refusals
from passtwist.pool.actions import Announce, KillWorker
from passtwist.pool.notices import PoolDrained
from passtwist.pool.staffing import CLOSING
from passtwist.pool.states import WorkerState

if TYPE_CHECKING:
    from passtwist.pool.actions import Action
    from passtwist.pool.events import ShutdownRequested, StopRequested
    from passtwist.pool.group import Group
    from passtwist.pool.restarts import Restarts
    from passtwist.pool.staffing import Staffing
    from passtwist.pool.upkeep import Upkeep


class Closing:
    """Shuts the pool down, gently or at once.

    From then on every app is dormant and stays so: no minimum is kept, and
    the one look that a request takes at that flag finds out that it comes
    too late.
    """

    def __init__(
        self,
        groups: dict[str, Group],
        staffing: Staffing,
        restarts: Restarts,
        upkeep: Upkeep,
        outbox: list[Action],
    ) -> None:
        self._groups = groups
        self._staffing = staffing
        self._restarts = restarts
        self._upkeep = upkeep
        self._outbox = outbox
        self._drained = False

    def shutdown_requested(self, event: ShutdownRequested, now: float) -> None:
        self._staffing.closing = True
        for group in self._groups.values():
            group.dormant = True
            self._restarts.cancel(group, CLOSING, now)
            for worker in list(group.workers.values()):
                unused = worker.state is WorkerState.STARTING and not group.queue
                if unused or worker.is_disabled or worker.state is WorkerState.IDLE:
                    self._staffing.dismiss(worker, CLOSING, now)
            self._staffing.settle(group, now)

    def stop_requested(self, event: StopRequested, now: float) -> None:
        self._staffing.closing = True
        for group in self._groups.values():
            group.dormant = True
            self._restarts.cancel(group, "the server stops", now)
            self._upkeep.refuse(
                refusals.shutting_down(ticket, group)
                for ticket in group.queue.pop_all()
            )
        for worker in list(self._staffing.workers.values()):
            if worker.state is WorkerState.STOPPING:
                self._outbox.append(KillWorker(worker.id, "the server stops"))
            else:
                self._staffing.cut_off(worker, "the server stops", now)
        for group in self._groups.values():
            self._staffing.settle(group, now)

    def announce_end(self) -> None:
        """Say so, once, when nobody works or waits any more."""
        if not self._staffing.closing or self._drained or self._staffing.workers:
            return
        if not any(group.queue for group in self._groups.values()):
            self._drained = True
            self._outbox.append(Announce(PoolDrained()))
