"""Latency at a rate that all servers keep up with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.load.open_loop import Kind, Outcome, Plan, put_on
from benchmarks.measures.base import Bench, Measure
from benchmarks.measures.mixed import is_common, rounds_of
from benchmarks.measures.throughput import serves_differently
from benchmarks.results import Column
from benchmarks.sites import case

if TYPE_CHECKING:
    from benchmarks.servers import Running, Server

WORKER_COUNT = 2
PATIENCE = 10.0

# Requests a second, by case.  A server that is slow to answer a page of Django
# needs 10 ms for it: two workers are then busy for less than half of the time.
RATES = {"hello": 300, "rows": 80}
ROUNDS = 2
SECONDS = {"hello": 2.0, "rows": 1.5}

# A p99.9 of fewer requests is just their slowest one.
ENOUGH = 500


class Latency(Measure):
    """Open loop, far from the limit: what a visitor waits for the server."""

    name = "latency"
    title = "Latency at a moderate rate"
    about = (
        "The same number of requests a second for all: "
        f"{RATES['hello']} for hello world, {RATES['rows']} for the page of Django; "
        f"independent arrivals (Poisson), {WORKER_COUNT} workers each, of one thread. "
        "Latencies count from the time when a request was due, so that a pause of a "
        "server meets all requests of that time, not one per connection. With few "
        "requests p99.9 is little more than the slowest one."
    )
    columns = (
        Column("p99", "p99", "ms"),
        Column("p50", "p50", "ms", steady=True),
        Column("p999", "p99.9", "ms"),
        Column("errors", "Errors", "", better=""),
        Column("lag", "Generator's lag, p99", "ms", better=""),
    )
    cases = tuple((name, case(name).title) for name in RATES)

    def take(self, bench: Bench) -> None:
        if bench.quick:
            # A second or two say little of p99.
            return
        for name in RATES:
            self._case(bench, name)

    def _case(self, bench: Bench, name: str) -> None:
        asked = case(name)
        kinds = (Kind(name, asked.path),)
        rate = RATES[name]

        def warm_up(running: Running) -> None:
            running.workers()
            put_on(Plan(running.url, kinds, 0.4, rate, patience=PATIENCE))

        bench.interleave(
            self,
            name,
            bench.site(asked.site),
            bench.select(is_common),
            WORKER_COUNT,
            ROUNDS,
            rounds_of(Plan("", kinds, SECONDS[name], rate, patience=PATIENCE), figures),
            warm_up,
        )


def figures(found: Outcome) -> dict[str, float]:
    """One for each column, but p99.9 of enough requests only."""
    (one,) = found.kinds.values()
    values = {
        "p99": one.latency.p99,
        "p50": one.latency.p50,
        "errors": one.errors,
        "lag": found.lag_p99,
    }
    if one.count >= ENOUGH:
        values["p999"] = one.latency.p999
    return values


def is_plain(server: Server) -> bool:
    """One of each way of serving, with as few threads as it has."""
    few = server.threads == 1 or server.one_process
    return few and serves_differently(server)
