"""Requests that are given to a worker as soon as they come.

What servers do whose workers accept by themselves: with SO_REUSEPORT the kernel
chooses by a hash, and a connection that was accepted stays where it is.  Each
worker has a queue of its own then, and nobody can leave it for another's.
"""

from __future__ import annotations

from heapq import heapify, heapreplace
from itertools import count
from typing import TYPE_CHECKING

from benchmarks.simulation.traffic import source

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.simulation.traffic import Trace

# Keep-alive connections for each worker, and requests for each connection.
CONNECTIONS = 4
REQUESTS = 10


def central(trace: Trace, workers: int) -> list[float]:
    """One queue for all: the wait of each request, in seconds.

    Computed from when workers become free, without the pool: its twin in tests.
    """
    free = [0.0] * workers
    heapify(free)
    waits = []
    for arrival, service in zip(trace.arrivals, trace.services, strict=True):
        begin = max(arrival, free[0])
        heapreplace(free, begin + service)
        waits.append(begin - arrival)
    return waits


def at_random(trace: Trace, workers: int, seed: int) -> list[float]:
    """Each request on a connection of its own: SO_REUSEPORT."""
    chance = source(seed, "reuseport")
    return _own_queues(trace, workers, lambda: chance.randrange(workers))


def in_turns(trace: Trace, workers: int) -> list[float]:
    """To one worker after the other, as a proxy in front does by default."""
    numbers = count()
    return _own_queues(trace, workers, lambda: next(numbers) % workers)


def pinned(trace: Trace, workers: int, seed: int) -> list[float]:
    """On keep-alive connections that stay with the worker that accepted them.

    There are always `CONNECTIONS` for each worker, chosen at random; after
    `REQUESTS` on average one is closed, and another takes its place.
    """
    chance = source(seed, "connections")
    worker_of = [chance.randrange(workers) for _ in range(CONNECTIONS * workers)]

    def choose() -> int:
        connection = chance.randrange(len(worker_of))
        worker = worker_of[connection]
        if chance.random() < 1 / REQUESTS:
            worker_of[connection] = chance.randrange(workers)
        return worker

    return _own_queues(trace, workers, choose)


def _own_queues(trace: Trace, workers: int, choose: Callable[[], int]) -> list[float]:
    free = [0.0] * workers
    waits = []
    for arrival, service in zip(trace.arrivals, trace.services, strict=True):
        worker = choose()
        begin = max(arrival, free[worker])
        free[worker] = begin + service
        waits.append(begin - arrival)
    return waits
