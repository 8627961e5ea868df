"""A restart with new code while requests come."""

from __future__ import annotations

import time

from benchmarks.load.echo import EchoLoad
from benchmarks.measures.base import Bench, Measure
from benchmarks.measures.selection import runs_differently
from benchmarks.results import Column
from benchmarks.servers import Failed, Running

WORKER_COUNT = 2
CLIENTS = 8

# Seconds of load before the order, and with only new workers answering.
BEFORE = 0.3
AFTER = 0.5
DEADLINE = 20.0


class Restart(Measure):
    """In the way that the server's documentation gives for a live site."""

    name = "restart"
    title = "Restart under load"
    about = (
        f"{CLIENTS} clients ask without a pause, on connections that they keep, while "
        f"{WORKER_COUNT} workers are restarted so that they load new code. Each answer "
        "repeats what was asked: *wrong* is one that belongs to another request. "
        "*Repeated* are requests on a kept connection that the server closed at that "
        "moment; HTTP allows it, and clients ask again by themselves. *Longest gap* is "
        "the longest time in which no client got an answer."
    )
    columns = (
        Column("gap", "Longest gap", "ms"),
        Column("failed", "Requests failed", ""),
        Column("wrong", "Wrong answers", ""),
        Column("repeated", "Repeated", ""),
        Column("seconds", "Done after", "s"),
        Column("requests", "Requests", "", better=""),
    )

    in_quick = False

    def take(self, bench: Bench) -> None:
        bench.interleave(
            self,
            "",
            bench.site("wsgi"),
            bench.select(runs_differently),
            WORKER_COUNT,
            1 if bench.quick else 2,
            turn=restarted,
            warm_up=Running.workers,
        )


def restarted(running: Running) -> dict[str, float]:
    """What one restart costs.

    :raises Failed: old workers still answered after `DEADLINE` seconds.
    :raises HasNone: it has no restart.
    """
    old = running.workers()
    with EchoLoad(running, CLIENTS) as load:
        time.sleep(BEFORE)
        ordered = time.monotonic()
        running.server.restart(running)
        while not only_new(load, old, ordered):
            if time.monotonic() > ordered + DEADLINE:
                raise Failed(
                    f"{DEADLINE:g} s after the order {sorted(old)} should be gone; "
                    f"{sorted(load.pids_since(time.monotonic() - AFTER))} answer\n"
                    f"{running.tail()}"
                )
            time.sleep(0.02)
    return {
        "gap": load.longest_gap() * 1000,
        "failed": load.count("failed"),
        "wrong": load.count("wrong"),
        "repeated": load.repeated,
        "seconds": switched(load, old) - ordered,
        "requests": len(load.ended),
    }


def switched(load: EchoLoad, old: set[int]) -> float:
    """When the first answer came after which no old worker gave any."""
    last = max((one.when for one in load.ended if one.pid in old), default=0.0)
    return min(one.when for one in load.ended_since(last) if one.pid not in {0, *old})


def only_new(load: EchoLoad, old: set[int], ordered: float) -> bool:
    """For a while by now only workers have answered that were not there before."""
    begin = max(ordered, time.monotonic() - AFTER)
    recent = load.pids_since(begin)
    return time.monotonic() - ordered >= AFTER and bool(recent) and not recent & old
