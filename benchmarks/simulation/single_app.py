"""One app whose workers never change, through the pool: an M/M/c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.simulation.nature import Nature, Processes
from benchmarks.simulation.world import World
from passtwist.model import Limits
from passtwist.pool import AppAdded, Pool, PoolLimits

if TYPE_CHECKING:
    from benchmarks.simulation.traffic import Trace

APP = "app"


def waits_in_pool(
    trace: Trace, workers: int, threads: int = 1, seed: int = 0
) -> list[float]:
    """The wait of each request of *trace*, in seconds.

    :param threads: requests that one worker answers at a time.
    """
    limits = Limits(
        min_instances=workers,
        max_instances=workers,
        prestart=True,
        concurrency=threads,
        max_queue_size=0,
    )
    pool = Pool(PoolLimits(max_pool_size=workers, pool_idle_time=0.0))
    world = World(pool, Nature(processes=Processes(spawn=0.0)), seed)
    world.spawns.limits[APP] = limits
    world.tell(AppAdded(APP, limits))
    while world.spawns.under_way:
        world.agenda.step()

    def arrive(number: int) -> None:
        following = number + 1
        if following < len(trace.arrivals):
            world.agenda.at(trace.arrivals[following], arrive, following)
        world.ask(APP, trace.services[number])

    world.agenda.at(trace.arrivals[0], arrive, 0)
    while len(world.ledger.apps) < len(trace.arrivals) or world.ledger.unanswered:
        world.agenda.step()
    world.ledger.close()
    return world.ledger.begun_waits()
