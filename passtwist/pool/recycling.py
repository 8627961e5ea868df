"""Workers that have done enough, or take too much.

Runs in: the controller.

A worn worker goes on until another one can take its place; see
`passtwist.pool.replacing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.pool.actions import Announce
from passtwist.pool.notices import WorkerRecycled
from passtwist.pool.states import WorkerState
from passtwist.pool.worker import UNLIMITED

if TYPE_CHECKING:
    from passtwist.pool.actions import Action
    from passtwist.pool.events import MemorySampled, RequestOverran
    from passtwist.pool.staffing import Staffing
    from passtwist.pool.upkeep import Upkeep
    from passtwist.pool.worker import Worker

_MIB = 1 << 20


def set_last_request(worker: Worker) -> None:
    """Find out after how many requests *worker*, which is live, is worn.

    Chance spares each up to a tenth of them, so that workers that began
    together don't end together.
    """
    most = worker.group.limits.max_requests
    if not most or worker.worn:
        worker.notable_at = UNLIMITED
    else:
        worker.notable_at = most - int(most * worker.jitter / 10)


class Recycling:
    """Finds out who is worn."""

    def __init__(
        self, staffing: Staffing, upkeep: Upkeep, outbox: list[Action]
    ) -> None:
        self._staffing = staffing
        self._upkeep = upkeep
        self._outbox = outbox

    def served_enough(self, worker: Worker, now: float) -> None:
        """A live worker has done with its last request but those to come."""
        if not worker.group.limits.max_requests:
            return
        self._wear(worker, f"it has answered {worker.requests} requests")
        # Before the session ends: so far nobody has gone idle, or can take
        # the place of anybody.
        self._staffing.replacing.settle(now)

    def memory_sampled(self, event: MemorySampled, now: float) -> None:
        for number, used in event.samples.items():
            worker = self._staffing.workers.get(number)
            if worker is None:
                continue
            limits = worker.group.limits
            if 0 < limits.hard_memory_limit < used:
                self._kill(worker, f"it takes {_in_mib(used)} (hard_memory_limit)", now)
            elif 0 < limits.memory_limit < used and worker.requests:
                # One that has not answered anything is as small as they get.
                self._wear(worker, f"it takes {_in_mib(used)} (memory_limit)")
        self._staffing.share(now)

    def request_overran(self, event: RequestOverran, now: float) -> None:
        worker = self._staffing.workers.get(event.worker)
        if worker is None or not (worker.takes_sessions or worker.is_disabled):
            return
        reason = "a request in it took too long"
        self._announce(worker, reason)
        self._staffing.dismiss(worker, reason, now)
        self._staffing.settle(worker.group, now)

    def _wear(self, worker: Worker, reason: str) -> None:
        if worker.worn or not worker.takes_sessions:
            return
        worker.worn = reason
        worker.notable_at = UNLIMITED
        worker.group.renewal.due.setdefault(worker.id, worker)
        self._staffing.replacing.touch(worker.group)

    def _kill(self, worker: Worker, reason: str, now: float) -> None:
        if worker.state in (WorkerState.STARTING, WorkerState.STOPPING):
            return
        group = worker.group
        self._announce(worker, reason)
        if worker.takes_sessions:
            self._upkeep.worker_died(worker, False, now)
        self._staffing.cut_off(worker, reason, now)
        self._staffing.settle(group, now)
        self._upkeep.arm(group, now)

    def _announce(self, worker: Worker, reason: str) -> None:
        notice = WorkerRecycled(worker.group.name, worker.id, reason)
        self._outbox.append(Announce(notice))


def _in_mib(size: int) -> str:
    return f"{size / _MIB:.0f} MiB"
