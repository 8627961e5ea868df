"""What an app notices of another one in the same server that goes wrong."""

from __future__ import annotations

import contextlib
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING

from benchmarks.load.open_loop import Kind, Plan, put_on
from benchmarks.measures.admin_socket import pids_of
from benchmarks.measures.base import Bench, Measure
from benchmarks.processes import memory_of
from benchmarks.results import Column
from benchmarks.servers import Failed, Running
from benchmarks.servers.passtwist_neighbours import (
    BASE_URI,
    NEIGHBOUR,
    PasstwistNeighbours,
)
from benchmarks.stats import HEADLINE

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.load.open_loop import KindOutcome

MEASURED = Kind("measured", "/", length=12)
RATE = 200
SECONDS = 3.0
WORKER_COUNT = 2
ROUNDS = 5

# The neighbour's load begins with that of the measured app, and is there until
# after its end.
NEIGHBOURS_RATE = 20
LONGER = 0.5
# Nobody waits longer for a neighbour that hangs.
PATIENCE = 1.0

GOOD = "/"
PATHS = {"crashes": "/crash", "leaks": "/leak", "hangs": "/hang"}

MIB = 1 << 20


class Neighbour(Measure):
    """Of passtwist alone: no peer has two applications in one server."""

    name = "neighbour"
    title = "Beside an app that goes wrong"
    about = (
        f"{RATE} requests a second (Poisson) for an app of {WORKER_COUNT} workers, and "
        f"{NEIGHBOURS_RATE} for another app of the same server, which has room for as "
        "many. In each round the other one first does what it should, then goes "
        "wrong: the ratio is between the two, and the figures are those of the first "
        "app. A failed request of the first app is a failure of the measure."
    )
    columns = (
        Column("times", "p99, times that beside a good one", ""),
        Column("p99", "p99", "ms"),
        Column("good_p99", "p99 beside a good one", "ms", better=""),
        Column("p50", "p50", "ms"),
        Column("unserved", "The other's requests that failed", "%", better=""),
        Column("memory", "The other's workers, PSS", "MiB", better=""),
    )
    cases = (
        ("crashes", "Each request ends its worker"),
        ("leaks", "Each request keeps another MiB"),
        ("hangs", "No request comes to an end"),
    )
    in_quick = False
    in_full = False

    def take(self, bench: Bench) -> None:
        if not bench.select(lambda one: one.name == HEADLINE):
            return
        server = PasstwistNeighbours(bench.site("noisy"))
        for case, _ in self.cases:
            bench.interleave(
                self,
                case,
                bench.site("wsgi"),
                [server],
                WORKER_COUNT,
                3 if bench.quick else ROUNDS,
                rounds_beside(PATHS[case]),
                warm_up,
            )


def rounds_beside(path: str) -> Callable[[Running], dict[str, float]]:
    """A turn; other arrivals in each round."""
    seeds = count(1)

    def turn(running: Running) -> dict[str, float]:
        return beside(running, path, seed=next(seeds))

    return turn


def warm_up(running: Running) -> None:
    """All workers are there, those of the neighbour too."""
    running.workers()
    running.wait_until(lambda: serves(running), "for the neighbour")
    put_on(Plan(running.url, (MEASURED,), 0.3, RATE))


def beside(
    running: Running, path: str, seed: int = 1, seconds: float = SECONDS
) -> dict[str, float]:
    """First beside a good neighbour, then beside one that is asked for *path*.

    The same requests at the same times in both.

    :raises Failed: the measured app has not answered all of them.
    """
    good, _ = together(running, GOOD, seed, seconds)
    bad, neighbour = together(running, path, seed, seconds)
    used = memory_of(pids_of(running, NEIGHBOUR))
    put_right(running)
    return {
        "times": bad.latency.p99 / good.latency.p99,
        "p99": bad.latency.p99,
        "good_p99": good.latency.p99,
        "p50": bad.latency.p50,
        "unserved": neighbour.errors / neighbour.count * 100,
        "memory": used.pss / MIB,
    }


def together(
    running: Running, path: str, seed: int, seconds: float
) -> tuple[KindOutcome, KindOutcome]:
    """What the measured app answers, and what the neighbour does meanwhile.

    Two generators, so that who waits for the neighbour keeps nobody else from
    asking.

    :raises Failed: the measured app has not answered all.
    """
    noisy = Plan(
        running.url,
        (Kind("neighbour", BASE_URI + path),),
        seconds + LONGER,
        NEIGHBOURS_RATE,
        patience=PATIENCE,
        seed=seed,
    )
    measured = Plan(running.url, (MEASURED,), seconds, RATE, seed=seed)
    with ThreadPoolExecutor(1) as other:
        meanwhile = other.submit(put_on, noisy)
        found = put_on(measured).kinds["measured"]
        neighbour = meanwhile.result().kinds["neighbour"]
    if found.errors:
        raise Failed(
            f"{found.errors} of {found.count} requests failed while the neighbour was "
            f"asked for {path}: {found.reasons}\n{running.tail()}"
        )
    return found, neighbour


def put_right(running: Running) -> None:
    """End what hangs or has leaked; returns when the neighbour serves again.

    :raises Failed: it does not.
    """
    for pid in pids_of(running, NEIGHBOUR):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    running.wait_until(lambda: serves(running), "for the neighbour after its fault")


def serves(running: Running) -> bool:
    """The neighbour answers."""
    try:
        return bool(running.get(f"{BASE_URI}/pid"))
    except OSError:
        return False
