"""A worker is killed under a light load: who notices, and for how long."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

from benchmarks.load.steady import SteadyLoad
from benchmarks.measures.base import Bench, Measure
from benchmarks.measures.selection import runs_differently
from benchmarks.results import Column
from benchmarks.servers import Failed, Running, Server

WORKER_COUNT = 2

# Seconds of load before the kill and after full strength.
BEFORE = 0.5
AFTER = 0.3


class Recovery(Measure):
    """`kill -9` of the busier of two workers."""

    name = "recovery"
    title = "Recovery after kill -9"
    about = (
        "Three clients ask for a page that takes 20 ms, each twenty times a second, "
        f"so that {WORKER_COUNT} workers have something to do. The busier one is "
        "killed with SIGKILL. Failed requests are those that get no answer or an "
        "error; the time is from the kill until the worker in its place has given "
        "its first answer. Servers without worker processes would be gone."
    )
    columns = (
        Column("seconds", "Full strength after", "s"),
        Column("failed", "Requests failed", ""),
        Column("requests", "Requests", "", better=""),
    )

    in_quick = False

    def take(self, bench: Bench) -> None:
        for server in bench.select(lambda one: one.one_process):
            why = "it has one process: nobody is there to start it again"
            bench.absent(self, "", server.name, "none", why)
        bench.interleave(
            self,
            "",
            bench.site("wsgi"),
            bench.select(has_workers),
            WORKER_COUNT,
            1 if bench.quick else 2,
            turn=after_a_kill,
            warm_up=Running.workers,
        )


def has_workers(server: Server) -> bool:
    """One that dies can be replaced."""
    return runs_differently(server) and not server.one_process


def after_a_kill(running: Running) -> dict[str, float]:
    """What a killed worker costs.

    :raises Failed: nothing took its place.
    """
    with SteadyLoad(running) as load:
        begin = time.monotonic()
        while len(pids_of(load)) < WORKER_COUNT or time.monotonic() < begin + BEFORE:
            if time.monotonic() > begin + 10:
                raise Failed(f"{WORKER_COUNT} workers did not answer\n{running.tail()}")
            time.sleep(0.01)
        old = pids_of(load)
        ((busier, _),) = old.most_common(1)
        killed = time.monotonic()
        os.kill(busier, signal.SIGKILL)

        def replaced() -> bool:
            return bool(pids_of(load).keys() - old.keys())

        running.wait_until(replaced, "to replace a worker")
        new = next(one for one in load.answers if one.pid and one.pid not in old)
        time.sleep(AFTER)
    return {
        "seconds": new.when - killed,
        "failed": load.failed,
        "requests": len(load.answers),
    }


def pids_of(load: SteadyLoad) -> Counter[int]:
    """Answers by worker."""
    return Counter(one.pid for one in list(load.answers) if one.pid)
