"""What a worker has for itself alone, the more requests it has answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.load.spread import Spread
from benchmarks.measures.base import Bench, Measure
from benchmarks.measures.memory import MIB, with_immortal
from benchmarks.measures.settling import read_once, settle
from benchmarks.processes import Memory, memory, memory_of
from benchmarks.results import Column
from benchmarks.servers import Failed, Running, Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.sites import Site

# A request of that page takes a server some milliseconds of a processor, so with
# more workers the long stages would take all day, and each copies for itself.
WORKER_COUNT = 2
STAGES = (0, 1, 10, 100, 1000)
# The last stage takes minutes for each server, and these share nothing or little
# after a fork: both are for who asks for the curve by name.
LAST_STAGE = 10_000
AT_LENGTH = ("gunicorn sync", "uwsgi", "passenger builtin")


class MemoryCurve(Measure):
    """The same workers, read again and again."""

    name = "memory-curve"
    title = "Memory over requests"
    about = (
        "What is shared after a fork does not stay so: reference counts and garbage "
        f"collection write to it. {WORKER_COUNT} workers answer more and more requests "
        "of Django's login page, and the memory that a worker has for itself alone is "
        "read each time the server has come to rest. At nought, one of them has "
        "answered one small request; no server can be seen to run without. A server "
        "gives its workers unequal shares: the requests are the mean of them. The last "
        f"stage, {LAST_STAGE} requests, is taken when the measure is asked for by "
        f"name, and so are {', '.join(AT_LENGTH)}."
    )
    columns = (
        Column("uss", "USS of a worker", "MiB"),
        Column("pss", "PSS of a worker", "MiB"),
        Column("requests", "Requests of a worker", "", better=""),
    )
    cases = tuple(
        (str(stage), f"After {stage} requests each") for stage in (*STAGES, LAST_STAGE)
    )
    in_quick = False

    def take(self, bench: Bench) -> None:
        site = bench.site("django")
        read_once(site)
        servers = with_immortal(bench.select(compared(bench)))
        stages = stages_of(bench)
        for server in bench.installed(self, "", servers):
            with bench.expected(self, "", server):
                self._curve(bench, server, site, stages)

    def _curve(
        self, bench: Bench, server: Server, site: Site, stages: tuple[int, ...]
    ) -> None:
        with Running(server, site, WORKER_COUNT) as running:
            bench.know(running)
            for stage, values in curve_of(running, stages):
                bench.record(self, str(stage), server.name, 0, values)


def stages_of(bench: Bench) -> tuple[int, ...]:
    """Those that this run has time for."""
    if bench.quick:
        return STAGES[:3]
    return (*STAGES, LAST_STAGE) if MemoryCurve.name in bench.asked else STAGES


def curve_of(
    running: Running, stages: tuple[int, ...]
) -> list[tuple[int, dict[str, float]]]:
    """MiB of a worker after each stage's requests; the first stage is 0.

    :raises Failed: a worker was replaced meanwhile.
    """
    spread = Spread(running)
    settle(running)
    # Who is a worker shows when they have answered.
    at_first = {pid: memory(pid) for pid in running.pids()}
    found: list[tuple[int, dict[str, float]]] = []
    for stage in stages[1:]:
        spread.send(stage)
        settle(running)
        workers = sorted(spread.answered)
        if len(workers) != WORKER_COUNT or not at_first.keys() >= set(workers):
            raise Failed(f"{running.server.name} replaced workers\n{running.tail()}")
        if not found:
            begin = Memory(0, 0, 0)
            for pid in workers:
                begin += at_first[pid]
            found.append((0, of_one(begin, 0)))
        found.append((stage, of_one(memory_of(workers), spread.answered.total())))
    return found


def of_one(all_of_them: Memory, requests: int) -> dict[str, float]:
    """The mean of the workers."""
    return {
        "uss": all_of_them.uss / WORKER_COUNT / MIB,
        "pss": all_of_them.pss / WORKER_COUNT / MIB,
        "requests": requests / WORKER_COUNT,
    }


def compared(bench: Bench) -> Callable[[Server], bool]:
    """Each spawn method of ours, what most people use for a fork, and some peers."""
    peers = ["gunicorn sync --preload"]
    if MemoryCurve.name in bench.asked:
        peers += AT_LENGTH

    def is_compared(server: Server) -> bool:
        if server.family == "passtwist":
            return server.threads == 1
        return server.name in peers

    return is_compared
