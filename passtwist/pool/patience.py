"""Workers that were told to leave and don't come to an end.

Runs in: the controller.

A worker that leaves finishes its sessions first; one that is stuck would never
go.  How long it may take is up to its app (`drain_time`).
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from passtwist.pool.actions import Announce
from passtwist.pool.notices import WorkerOverstayed
from passtwist.pool.states import WorkerState

if TYPE_CHECKING:
    from passtwist.pool.actions import Action
    from passtwist.pool.staffing import Staffing
    from passtwist.pool.upkeep import Upkeep
    from passtwist.pool.worker import Worker


class Patience:
    """Who has to be gone by when, over all apps, removed ones included."""

    def __init__(
        self, staffing: Staffing, upkeep: Upkeep, outbox: list[Action]
    ) -> None:
        self._staffing = staffing
        self._upkeep = upkeep
        self._outbox = outbox
        # Those that are gone in time stay in it until then.
        self._heap: list[tuple[float, int, Worker]] = []

    def began(self, worker: Worker, now: float) -> None:
        """*worker* was told to leave, and has sessions."""
        worker.draining_since = now
        limit = worker.group.limits.drain_time
        # How long a shutdown may take is decided elsewhere.
        if limit and not self._staffing.closing:
            heappush(self._heap, (now + limit, worker.id, worker))
            self._upkeep.arm_pool(now + limit)

    def enforce(self, now: float) -> None:
        """Kill who has outstayed its time."""
        while self._heap and self._heap[0][0] <= now:
            _, _, worker = heappop(self._heap)
            if worker.state is WorkerState.DRAINING:
                self._end(worker, now)
        if self._heap:
            self._upkeep.arm_pool(self._heap[0][0])

    def deadlines(self) -> list[float]:
        """Of those that still drain, for the invariants."""
        draining = WorkerState.DRAINING
        return [time for time, _, worker in self._heap if worker.state is draining]

    def _end(self, worker: Worker, now: float) -> None:
        seconds = now - worker.draining_since
        notice = WorkerOverstayed(
            worker.group.name, worker.id, worker.sessions, seconds
        )
        self._outbox.append(Announce(notice))
        reason = f"it did not come to an end in {seconds:.0f} s (drain_time)"
        self._staffing.cut_off(worker, reason, now)
