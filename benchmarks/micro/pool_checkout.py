"""What a checkout and the end of its session cost in the pool.

Run: ``python -m benchmarks.micro.pool_checkout``

Prints nanoseconds for one checkout and one end together, the best of several
rounds: with one app and two workers, and with 1,000 apps and 10,000 workers
in turn; then for a request that has to wait until another one ends; then for
a worker that dies, its replacement, and one request of it, an event each.
"""

from __future__ import annotations

import gc
from collections import deque
from itertools import cycle, islice
from time import perf_counter

from passtwist.model import Limits, WorkerId
from passtwist.pool import (
    AppAdded,
    Pool,
    PoolLimits,
    StartSpawn,
    WorkerExited,
    WorkerReady,
)

ROUNDS = 5
REQUESTS = 20_000


def staffed_pool(apps: int, workers: int, room: int = 0) -> Pool:
    """A pool of *apps*, each with *workers* idle workers."""
    size = apps * workers
    pool = Pool(PoolLimits(max_pool_size=size + room, spawn_concurrency=size + 1))
    limits = Limits(min_instances=workers, spawn_concurrency=workers, prestart=True)
    for number in range(apps):
        for action in pool.handle(AppAdded(f"app{number}", limits), 0.0):
            if isinstance(action, StartSpawn):
                pool.handle(WorkerReady(action.worker, 1), 0.0)
    # All have answered something: no death will be an early one.
    names = [f"app{number}" for number in range(apps)] * workers
    for used in [pool.checkout(app, 1, 0.0) for app in names]:
        pool.end_session(used or WorkerId(0), 0.0)
    return pool


def time_free(pool: Pool, names: list[str]) -> float:
    """Seconds for a checkout and its end when a worker is free."""
    asked = list(islice(cycle(names), REQUESTS))
    checkout, end_session, outbox = pool.checkout, pool.end_session, pool.outbox
    begun = perf_counter()
    for app in asked:
        worker = checkout(app, 1, 1.0)
        if worker is not None:
            end_session(worker, 1.0)
        if outbox:
            pool.take_actions()
    return (perf_counter() - begun) / REQUESTS


def time_queued(pool: Pool, app: str, workers: int) -> float:
    """Seconds for a checkout that waits and the end that serves it."""
    busy = [pool.checkout(app, ticket, 1.0) for ticket in range(workers)]
    worker = busy[0] or WorkerId(0)
    begun = perf_counter()
    for ticket in range(REQUESTS):
        pool.checkout(app, ("waits", ticket), 1.0)
        pool.end_session(worker, 1.0)
        if pool.outbox:
            pool.take_actions()
    seconds = (perf_counter() - begun) / REQUESTS
    for used in busy:
        pool.end_session(used or WorkerId(0), 1.0)
    pool.take_actions()
    return seconds


def time_replacements(pool: Pool, count: int) -> float:
    """Seconds for one event, when workers die and are replaced."""
    alive = deque(view.id for app in pool.view().apps for view in app.workers)
    begun = perf_counter()
    for _ in range(count):
        for action in pool.handle(WorkerExited(alive.popleft()), 2.0):
            if isinstance(action, StartSpawn):
                pool.handle(WorkerReady(action.worker, 1), 2.0)
                pool.end_session(
                    pool.checkout(action.app, 1, 2.0) or action.worker, 2.0
                )
                alive.append(action.worker)
    return (perf_counter() - begun) / (4 * count)


def main() -> None:
    gc.collect()
    gc.freeze()
    for apps, workers in ((1, 2), (1000, 10)):
        names = [f"app{number}" for number in range(apps)]
        pool = staffed_pool(apps, workers)
        free = min(time_free(pool, names) for _ in range(ROUNDS))
        queued = min(time_queued(pool, "app0", workers) for _ in range(ROUNDS))
        dying = time_replacements(pool, 5000)
        print(
            f"{apps:5} apps, {apps * workers:6} workers: "
            f"checkout+end {free * 1e9:6.0f} ns, "
            f"queued+end {queued * 1e9:6.0f} ns, "
            f"death and replacement {dying * 1e9:6.0f} ns an event"
        )


if __name__ == "__main__":
    main()
