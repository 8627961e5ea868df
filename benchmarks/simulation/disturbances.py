"""What happens to the simulated world by itself, at random times."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.simulation.traffic import source
from passtwist.pool import (
    AppAdded,
    AppRemoved,
    ConfigChanged,
    DetachRequested,
    DisableRequested,
    EnableRequested,
    MemorySampled,
    PoolConfigChanged,
    RestartRequested,
    WorkerLost,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.simulation.world import World
    from passtwist.model import WorkerId
    from passtwist.pool import Event

MIB = 1 << 20
# What a worker has for itself on average; some have many times that.
MEMORY = 50 * MIB
_STORM = 5  # deployments within a second
_DISABLED = 1.0  # seconds
_RESIZED = 0.1  # of the pool


class Disturbances:
    """Operators, deployments, and the kernel."""

    def __init__(self, world: World, apps: Sequence[str], size: int, seed: int) -> None:
        self._world = world
        self._apps = apps
        self._size = size
        self._chance = source(seed, "disturbances")
        self._over = False
        rates = world.nature.rates
        for rate, happen in (
            (rates.killed * size, self._kill),
            (rates.lost * size, self._lose),
            (rates.detached * size, self._detach),
            (rates.disabled * size, self._disable),
            (rates.restarted * len(apps), self._restart),
            (rates.stormed * len(apps), self._storm),
            (rates.reconfigured * len(apps), self._reconfigure),
            (rates.replaced * len(apps), self._replace),
            (rates.memory_sampled * len(apps), self._sample),
            (rates.resized, self._resize),
        ):
            if rate:
                self._plan(rate, happen)

    def stop(self) -> None:
        """From now on all is quiet."""
        self._over = True

    def _plan(self, rate: float, happen: Callable[[], None]) -> None:
        delay = self._chance.expovariate(rate)
        self._world.agenda.after(delay, self._happen, rate, happen)

    def _happen(self, rate: float, happen: Callable[[], None]) -> None:
        if not self._over:
            happen()
            self._plan(rate, happen)

    # --- to a worker -----------------------------------------------------------

    def _worker(self) -> WorkerId | None:
        alive = list(self._world.alive)
        return self._chance.choice(alive) if alive else None

    def _tell_of_a_worker(self, event: Callable[[WorkerId], Event]) -> None:
        worker = self._worker()
        if worker is not None:
            self._world.tell(event(worker))

    def _kill(self) -> None:
        worker = self._worker()
        if worker is not None:
            self._world.die(worker, innocent=True)

    def _lose(self) -> None:
        self._tell_of_a_worker(WorkerLost)

    def _detach(self) -> None:
        self._tell_of_a_worker(DetachRequested)

    def _disable(self) -> None:
        worker = self._worker()
        if worker is not None:
            self._world.tell(DisableRequested(worker))
            enable = EnableRequested(worker)
            self._world.agenda.after(_DISABLED, self._world.tell, enable)

    def _resize(self) -> None:
        """The pool is made smaller or larger, by up to a tenth."""
        size = int(self._size * (1 - _RESIZED * self._chance.random()))
        limits = replace(self._world.pool.limits, max_pool_size=max(1, size))
        self._world.tell(PoolConfigChanged(limits))

    # --- to an app -------------------------------------------------------------

    def _app(self) -> str:
        return self._chance.choice(self._apps)

    def _restart(self) -> None:
        self._world.tell(RestartRequested(self._app(), "a deployment"))

    def _storm(self) -> None:
        event = RestartRequested(self._app(), "one of many deployments")
        for number in range(_STORM):
            self._world.agenda.after(number / _STORM, self._deploy, event)

    def _deploy(self, event: RestartRequested) -> None:
        if not self._over:
            self._world.tell(event)

    def _reconfigure(self) -> None:
        app = self._app()
        limits = self._world.spawns.limits[app]
        # Room for what it has and as much again: a limit that an app can't
        # live with would only show that it can't.
        there = list(self._world.alive.values()).count(app)
        changed = replace(
            limits,
            min_instances=max(0, limits.min_instances + self._chance.choice((-1, 1))),
            max_instances=self._chance.choice((0, 2 * there + 2)),
            max_queue_size=self._chance.choice((0, 100, 1000)),
        )
        self._world.spawns.limits[app] = changed
        self._world.tell(ConfigChanged(app, changed))

    def _replace(self) -> None:
        app = self._app()
        self._world.tell(AppRemoved(app))
        self._world.tell(AppAdded(app, self._world.spawns.limits[app]))

    def _sample(self) -> None:
        app = self._app()
        samples = {
            worker: int(self._chance.expovariate(1 / MEMORY))
            for worker, its in self._world.alive.items()
            if its == app
        }
        if samples:
            self._world.tell(MemorySampled(samples))
