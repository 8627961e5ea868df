"""Requests a second, latency and CPU time, with as much load as it takes."""

from __future__ import annotations

from benchmarks.load.wrk import wrk
from benchmarks.measures.base import Amount, Bench, Measure
from benchmarks.processes import cpu_seconds
from benchmarks.results import Column
from benchmarks.servers import Failed, Running, Server
from benchmarks.sites import CASES, Case

WORKER_COUNT = 2
CONNECTIONS = 32

# What differs between these is how processes come to be, not how they serve:
# two cases of theirs are enough.
FEW = ("hello", "rows")


class Throughput(Measure):
    """Closed loop: each connection asks again as soon as it has its answer."""

    name = "throughput"
    title = "Throughput"
    about = (
        f"`wrk` with one thread and {CONNECTIONS} connections, kept alive where the "
        f"server does so; {WORKER_COUNT} workers each. "
        "CPU time is that of all processes of the server, from `/proc`; it is the "
        "steadier figure. Latencies are those of a closed loop at full load: compare "
        "them, but do not expect them in service."
    )
    columns = (
        Column("rate", "Requests/s", "/s", better="more", steady=True),
        Column("cpu", "CPU/request", "µs"),
        Column("p50", "p50", "ms"),
        Column("p99", "p99", "ms"),
        Column("p999", "p99.9", "ms"),
        Column("errors", "Errors", "", better=""),
    )
    cases = tuple((case.name, case.title) for case in CASES)

    def take(self, bench: Bench) -> None:
        amount = Amount(3, 1) if bench.quick else Amount(3, 2)
        for case in CASES:
            if bench.quick and case.name not in FEW:
                continue
            self._case(bench, case, amount)

    def _case(self, bench: Bench, case: Case, amount: Amount) -> None:
        def turn(running: Running) -> dict[str, float]:
            return load_of(running, case, amount.seconds)

        def warm_up(running: Running) -> None:
            running.workers()
            load_of(running, case, amount.warm_up)

        servers = bench.select(lambda one: case.name in FEW or serves_differently(one))
        bench.interleave(
            self,
            case.name,
            bench.site(case.site),
            servers,
            WORKER_COUNT,
            amount.rounds,
            turn,
            warm_up,
        )


def load_of(running: Running, case: Case, seconds: int) -> dict[str, float]:
    """One load, and the CPU time that it took.

    :raises Failed: nothing was answered.
    """
    before = cpu_seconds(running.pids())
    load = wrk(running.url + case.path, seconds, CONNECTIONS, case.upload)
    spent = cpu_seconds(running.pids()) - before
    if not load.requests:
        raise Failed(f"no answer to {case.path} in {seconds} s\n{running.tail()}")
    return {
        "rate": load.rate,
        "cpu": spent / load.requests * 1e6,
        "p50": load.p50,
        "p99": load.p99,
        "p999": load.p999,
        "errors": load.errors,
    }


def serves_differently(server: Server) -> bool:
    """One of each way of serving, whatever its processes come from."""
    return not any(
        word in server.name
        for word in ("smart-lv2", "conservative", "--preload", "--lazy-apps")
    )
