"""How a worker begins: it is numbered, counted, and its spawn is ordered.

Runs in: the controller.  Whether it may begin is decided elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.model import WorkerId
from passtwist.pool.actions import StartSpawn
from passtwist.pool.worker import Worker

if TYPE_CHECKING:
    from passtwist.pool.actions import Action
    from passtwist.pool.group import Group
    from passtwist.pool.room import Capacity


class Hiring:
    """Starts workers, for their own sake or as extras.

    :ivar workers: all workers of all apps that are not gone, by number.
    :ivar last_number: of the worker that was started last.
    """

    def __init__(self, capacity: Capacity, outbox: list[Action]) -> None:
        self.workers: dict[int, Worker] = {}
        self.last_number = 0
        self._capacity = capacity
        self._outbox = outbox

    def start(self, group: Group, now: float) -> None:
        """Start a worker because *group* lacks one."""
        if not self._adopt(group):
            worker = self._begin_spawn(group, group.generation, now)
            if group.generation < group.renewal.wanted(group.generation):
                group.renewal.due[worker.id] = worker
        group.starting += 1
        self._capacity.starting += 1
        self._capacity.used += 1

    def start_extra(self, group: Group, now: float) -> None:
        """Start a worker that shall take the place of another one."""
        generation = group.renewal.wanted(group.generation)
        worker = self._begin_spawn(group, generation, now)
        worker.is_extra = True
        group.renewal.extras[worker.id] = worker
        self._capacity.replacing += 1

    def end_extra(self, worker: Worker) -> None:
        """It is none any more: ready, given up, gone, or needed for its own sake."""
        worker.is_extra = False
        del worker.group.renewal.extras[worker.id]
        self._capacity.replacing -= 1

    def _adopt(self, group: Group) -> bool:
        """Whether an extra that is not needed as such is the one to be started.

        Who should have been replaced is gone, and is missed.
        """
        renewal = group.renewal
        if len(renewal.extras) <= len(renewal.due):
            return False
        worker = renewal.extras[min(renewal.extras)]
        if worker.generation != group.generation:
            return False
        self.end_extra(worker)
        return True

    def _begin_spawn(self, group: Group, generation: int, now: float) -> Worker:
        self.last_number += 1
        worker = Worker(WorkerId(self.last_number), group, generation, now)
        self.workers[worker.id] = group.workers[worker.id] = worker
        group.unused_since = None
        unproven = generation > group.renewal.proven
        self._outbox.append(StartSpawn(worker.id, group.name, generation, unproven))
        return worker
