"""Requests a second, latency and CPU time, with as much load as it takes."""

from __future__ import annotations

from benchmarks.load.open_loop import Kind, Plan, put_on
from benchmarks.load.wrk import wrk
from benchmarks.measures.base import Amount, Bench, Measure
from benchmarks.processes import cpu_seconds
from benchmarks.results import Column
from benchmarks.servers import Failed, Running, Server
from benchmarks.sites import CASES, Case

WORKER_COUNT = 2
CONNECTIONS = 32

# Of 32 uploads of 1 MiB at once some servers end few within a turn.
UPLOADS = 8

# The least and the most that an application does.
QUICK = ("hello", "rows")

# What we steer by gets more rounds than the rest.
STEERING = ("hello", "django", "rows")


class Throughput(Measure):
    """Closed loop: each connection asks again as soon as it has its answer."""

    name = "throughput"
    title = "Throughput"
    about = (
        f"`wrk` with one thread and {CONNECTIONS} connections ({UPLOADS} for uploads), "
        f"kept alive where the server does so; {WORKER_COUNT} workers each. "
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
        for case in CASES:
            if not bench.quick or case.name in QUICK:
                rounds = 3 if case.name in STEERING else 2
                self._case(bench, case, Amount(rounds, seconds=1))

    def _case(self, bench: Bench, case: Case, amount: Amount) -> None:
        def turn(running: Running) -> dict[str, float]:
            return load_of(running, case, amount.seconds)

        def warm_up(running: Running) -> None:
            running.workers()
            # A worker of Passenger waits for ever for the body of a request that
            # has none, if the application reads to its end.
            path = "/" if case.upload else case.path
            put_on(Plan(running.url, (Kind("warm-up", path),), 0.3))

        bench.interleave(
            self,
            case.name,
            bench.site(case.site),
            bench.select(lambda one: is_measured(one, case.name)),
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
    connections = UPLOADS if case.upload else CONNECTIONS
    load = wrk(running.url + case.path, seconds, connections, case.upload)
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


def is_measured(server: Server, case: str) -> bool:
    """All for hello world, one of each kind for the rest.

    There are twenty of them, and all of it is to take less than twenty minutes.
    """
    if case == "hello":
        return True
    return serves_differently(server) and (server.threads == 1 or server.one_process)


def serves_differently(server: Server) -> bool:
    """One of each way of serving, whatever its processes come from."""
    return not any(
        word in server.name
        for word in ("smart-lv2", "conservative", "--preload", "--lazy-apps")
    )
