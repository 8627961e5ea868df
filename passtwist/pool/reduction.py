"""Who leaves when there are more workers than limits allow.

Runs in: the controller.

That happens when a limit becomes smaller or a disabled worker is enabled.
Spawns are given up first, then idle workers leave, then those that do least;
all of them finish what they have begun.  Slow on purpose: it is rare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.pool.actions import Announce
from passtwist.pool.notices import WorkerDismissed
from passtwist.pool.states import WorkerState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from passtwist.pool.actions import Action
    from passtwist.pool.group import Group
    from passtwist.pool.staffing import Staffing
    from passtwist.pool.worker import Worker


class Reduction:
    """Makes the workers fit the limits.  Whoever uses it settles afterwards."""

    def __init__(self, staffing: Staffing, outbox: list[Action]) -> None:
        self._staffing = staffing
        self._outbox = outbox

    def fit(self, group: Group, now: float) -> None:
        """Make *group* fit its own limits, and the pool its size."""
        limits = group.limits
        while group.starting > limits.spawn_concurrency:
            self._give_up(group.workers.values(), "spawn_concurrency is smaller", now)
        while 0 < limits.max_instances < group.total:
            reason = f"more than {limits.max_instances} workers (max_instances)"
            self._dismiss(_least_missed(group), reason, now)
        self.fit_pool(now)

    def fit_pool(self, now: float) -> None:
        staffing = self._staffing
        limits, capacity = staffing.limits, staffing.capacity
        workers = staffing.workers.values()
        while capacity.starting > limits.spawn_concurrency:
            self._give_up(workers, "spawn_concurrency is smaller", now)
        while capacity.replacing > limits.spawn_concurrency:
            youngest = max(worker.id for worker in workers if worker.is_extra)
            worker = staffing.workers[youngest]
            staffing.dismiss(worker, "spawn_concurrency is smaller", now)
        while capacity.used > limits.max_pool_size:
            reason = f"more than {limits.max_pool_size} workers (max_pool_size)"
            victim = staffing.longest_idle_surplus() or staffing.idle.first()
            self._dismiss(victim or self._least_missed_of_all(), reason, now)

    def _least_missed_of_all(self) -> Worker:
        """Of the app that has most."""
        groups = {worker.group: None for worker in self._staffing.workers.values()}
        return _least_missed(max(groups, key=lambda group: group.total))

    def _give_up(self, workers: Iterable[Worker], reason: str, now: float) -> None:
        """The youngest of the spawns under way."""
        starting = [
            worker
            for worker in workers
            if worker.state is WorkerState.STARTING and worker.is_counted
        ]
        self._dismiss(max(starting, key=lambda worker: worker.id), reason, now)

    def _dismiss(self, worker: Worker, reason: str, now: float) -> None:
        group = worker.group
        self._outbox.append(Announce(WorkerDismissed(group.name, worker.id, reason)))
        self._staffing.dismiss(worker, reason, now)
        self._staffing.may_rest(group, now)
        # It may be another app than the one that whoever calls this settles.
        self._staffing.line.place(group, group.need(now), now)


def _least_missed(group: Group) -> Worker:
    """One that starts, else the longest idle, else the one with least to do."""
    counted = [worker for worker in group.workers.values() if worker.is_counted]
    starting = [w for w in counted if w.state is WorkerState.STARTING]
    if starting:
        return starting[-1]
    idle = group.longest_idle()
    if idle is not None:
        return idle
    return min(counted, key=lambda worker: (worker.sessions, -worker.id))
