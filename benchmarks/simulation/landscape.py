"""Many apps of very different popularity in one pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.simulation.disturbances import MEMORY, Disturbances
from benchmarks.simulation.traffic import Popularity, source
from benchmarks.simulation.world import World
from passtwist.model import Limits
from passtwist.pool import AppAdded, Pool, PoolLimits, ShutdownRequested
from passtwist.pool.invariants import check

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.simulation.nature import Nature


@dataclass(frozen=True)
class Size:
    """How much of everything.

    :ivar load: workers that the requests keep busy on average, in parts of all.
    :ivar checks: about how often the invariants are checked; 0: never.
    """

    apps: int
    workers: int
    requests: int
    load: float = 0.7
    checks: int = 0


class Landscape:
    """Zipf's traffic for a pool, and all that may happen to it.

    :ivar warm: how often the pool had been told something when the first
        request came.
    :ivar checked: how often its invariants were checked.
    """

    def __init__(
        self,
        size: Size,
        nature: Nature,
        seed: int,
        make_pool: Callable[[PoolLimits], Pool] = Pool,
    ) -> None:
        self.size = size
        self.names = [f"app{rank}" for rank in range(1, size.apps + 1)]
        self.pool = make_pool(pool_limits(size))
        self.world = World(self.pool, nature, seed)
        self.warm = 0
        self.checked = 0
        self._popularity = Popularity(self.names)
        self._arrivals = source(seed, "arrivals")
        self._choices = source(seed, "choices")
        self._services = source(seed, "services")
        self._seed = seed
        self._left = size.requests
        self._rate = size.load * size.workers / nature.service.mean

    def run(self) -> World:
        """All of it: staff the pool, let requests come, shut it down.

        :raises AssertionError: the pool broke a promise.
        """
        shares = zip(self.names, self._popularity.shares, strict=True)
        for rank, (app, share) in enumerate(shares, 1):
            limits = app_limits(rank, share, self.size.workers)
            self.world.spawns.limits[app] = limits
            self.world.tell(AppAdded(app, limits))
        while self.world.spawns.under_way:
            self.world.agenda.step()
        self.warm = self.world.events
        disturbances = Disturbances(
            self.world, self.names, self.size.workers, self._seed
        )
        self._plan_arrival()
        self._go_on(lambda: self._left > 0)
        disturbances.stop()
        self._go_on(lambda: bool(self.world.ledger.unanswered))
        self.world.tell(ShutdownRequested())
        self._go_on(lambda: bool(self.world.alive or self.world.spawns.under_way))
        self._check()
        self.world.ledger.close()
        assert self.world.notices["PoolDrained"] == 1, "the pool was not drained once"
        return self.world

    def _plan_arrival(self) -> None:
        delay = self._arrivals.expovariate(self._rate)
        self.world.agenda.after(delay, self._arrive)

    def _arrive(self) -> None:
        self._left -= 1
        if self._left > 0:
            self._plan_arrival()
        app = self._popularity.draw(self._choices)
        self.world.ask(app, self.world.nature.service.draw(self._services))

    def _go_on(self, is_wanted: Callable[[], bool]) -> None:
        """Let things happen while that is so, and check now and then."""
        # Of most requests the pool is told twice.
        between = 2 * self.size.requests // self.size.checks if self.size.checks else 0
        due = self.world.events + between
        while is_wanted():
            assert self.world.agenda.step(), "nothing will ever happen again"
            if between and self.world.events >= due:
                self._check()
                due = self.world.events + between

    def _check(self) -> None:
        """Check the pool's invariants, once it knows of what is due by now."""
        if self.size.checks:
            self.world.ring()
            check(self.pool, self.world.agenda.now)
            self.checked += 1


def pool_limits(size: Size) -> PoolLimits:
    """Of the pool as a whole."""
    return PoolLimits(
        max_pool_size=size.workers,
        pool_idle_time=20.0,
        spawn_concurrency=max(8, size.workers // 20),
        spawner_idle_time=60.0,
    )


def app_limits(rank: int, share: float, workers: int) -> Limits:
    """What the app of that rank asks for: most have a wish of their own.

    Nine tenths of the pool are kept for those who are asked for most.
    """
    floor = int(0.9 * share * workers)
    return Limits(
        min_instances=0 if rank % 5 == 4 else max(1, floor),
        max_instances=floor + 2 if rank % 13 == 6 else 0,
        prestart=True,
        spawn_concurrency=max(1, floor // 10),
        max_queue_size=max(100, floor),
        max_queue_time=2.0 if rank % 11 == 5 else 0.0,
        concurrency=4 if rank % 10 == 3 else 1,
        spare_workers=1 if rank % 7 == 2 else 0,
        max_requests=50 if rank % 6 == 1 else 0,
        memory_limit=4 * MEMORY if rank % 9 == 7 else 0,
        hard_memory_limit=6 * MEMORY if rank % 9 == 7 else 0,
        restart_parallelism=max(1, floor // 10),
        drain_time=10.0 if rank % 4 == 1 else 0.0,
    )
