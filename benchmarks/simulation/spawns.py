"""Spawns of the simulated world."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.simulation.traffic import source
from passtwist.pool import SpawnFailed, WorkerExited, WorkerReady

if TYPE_CHECKING:
    from benchmarks.simulation.world import World
    from passtwist.model import Limits, WorkerId
    from passtwist.pool import StartSpawn


class Spawns:
    """How spawns go.

    :ivar under_way: those that have not ended, each with its app.
    :ivar limits: of each app, for what its workers carry.
    :ivar begun: how many there were.
    """

    def __init__(self, world: World, seed: int) -> None:
        self.limits: dict[str, Limits] = {}
        self.begun = 0
        self._world = world
        self._chance = source(seed, "spawns")
        self.under_way: dict[WorkerId, str] = {}
        self._is_bad: dict[tuple[str, int], bool] = {}

    def start(self, order: StartSpawn) -> None:
        """Begin one; it will end somehow."""
        self.begun += 1
        world, faults = self._world, self._world.nature.faults
        self.under_way[order.worker] = order.app
        least = world.nature.processes.spawn
        seconds = least and least + self._chance.expovariate(1 / least)
        fate = self._chance.random()
        is_bad = self._is_bad_code(order.app, order.generation)
        if is_bad or fate < faults.spawn_fails:
            world.agenda.after(seconds, self._fail, order.worker)
        elif fate < faults.spawn_fails + faults.spawn_hangs:
            world.agenda.after(faults.start_timeout, self._fail, order.worker)
        else:
            world.agenda.after(seconds, self._succeed, order.worker)

    def cancel(self, worker: WorkerId) -> None:
        """It is not wanted any more; that may come too late."""
        if worker not in self.under_way:
            return
        faults, agenda = self._world.nature.faults, self._world.agenda
        late = self._chance.random() < faults.ready_all_the_same
        delay = self._world.nature.processes.die
        agenda.after(delay, self._succeed if late else self._fail, worker)

    def _is_bad_code(self, app: str, generation: int) -> bool:
        """Decided once for each generation; what an app begins with is good."""
        if not generation:
            return False
        key = (app, generation)
        if key not in self._is_bad:
            chance = self._chance.random()
            self._is_bad[key] = chance < self._world.nature.faults.bad_code
        return self._is_bad[key]

    def _succeed(self, worker: WorkerId) -> None:
        faults = self._world.nature.faults
        if worker not in self.under_way:
            return
        if faults.exits_early and self._chance.random() < faults.exits_early:
            self._world.tell(WorkerExited(worker))
            self._fail(worker)
            return
        app = self.under_way.pop(worker)
        self._world.born(worker, app)
        jitter = self._chance.random()
        self._world.tell(WorkerReady(worker, self.limits[app].concurrency, jitter))

    def _fail(self, worker: WorkerId) -> None:
        if self.under_way.pop(worker, None) is None:
            return
        jitter = self._chance.random()
        innocent = self._chance.random() < self._world.nature.faults.innocent
        error = f"worker {worker} did not come up"
        self._world.tell(SpawnFailed(worker, error, jitter, innocent))
