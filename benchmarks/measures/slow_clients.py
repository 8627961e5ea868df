"""Fifty slow clients, and what the fast ones notice of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.load.open_loop import Kind, Plan, put_on
from benchmarks.load.slow_clients import SlowClients
from benchmarks.measures.base import Bench, Measure
from benchmarks.measures.latency import is_plain
from benchmarks.results import Column
from benchmarks.servers.behind_nginx import BehindNginx

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.servers import Running, Server

FAST = Kind("fast", "/", length=12)
SLOW_COUNT = 50
RATE = 100
WORKER_COUNT = 2
ROUNDS = 2
SECONDS = 1.0

# Some servers answer nobody as long as the slow ones are there: each turn of theirs
# takes so long.
PATIENCE = 1.5

CASES = (
    ("head", "The head of the request comes byte by byte"),
    ("upload", "The body of the request trickles"),
    ("reader", "The response of 1 MiB is read in sips"),
)


class BesideSlowClients(Measure):
    """A worker is for computing, not for waiting for a client."""

    name = "slow-clients"
    title = f"{SLOW_COUNT} slow clients"
    about = (
        f"{SLOW_COUNT} clients that never come to an end while {RATE} fast requests "
        f"a second are made by others; {WORKER_COUNT} workers each, of one thread. "
        "The figures are those of the fast requests, but for the last one: how many "
        "slow connections the server ended or refused. A fast request without an "
        f"answer in {PATIENCE:g} s is an error and counts in the p99 with that time. "
        "Servers whose documentation wants a buffering proxy in front of them have "
        "one."
    )
    columns = (
        Column("p99", "p99", "ms"),
        Column("p50", "p50", "ms"),
        Column("answered", "Answered", "%", better="more"),
        Column("errors", "Errors", "", better=""),
        Column("ended", "Slow ones ended", "", better=""),
    )
    cases = CASES

    def take(self, bench: Bench) -> None:
        if bench.quick:
            return
        for kind, _ in self.cases:
            self._case(bench, kind)

    def _case(self, bench: Bench, kind: str) -> None:
        def turn(running: Running) -> dict[str, float]:
            return beside_slow_ones(running, kind)

        def warm_up(running: Running) -> None:
            running.workers()
            put_on(Plan(running.url, (FAST,), 0.3, RATE, patience=PATIENCE))

        bench.interleave(
            self,
            kind,
            bench.site("wsgi"),
            fronted(bench.select(is_plain)),
            WORKER_COUNT,
            ROUNDS,
            turn,
            warm_up,
        )


def beside_slow_ones(
    running: Running, kind: str, seconds: float = SECONDS
) -> dict[str, float]:
    """One light load of fast requests, while the slow ones are there."""
    with SlowClients(running.url, kind, SLOW_COUNT) as slow:
        found = put_on(
            Plan(running.url, (FAST,), seconds, RATE, patience=PATIENCE)
        ).kinds["fast"]
    return {
        "p99": found.latency.p99,
        "p50": found.latency.p50,
        "answered": found.answered / found.count * 100,
        "errors": found.errors,
        "ended": sum(slow.ended.values()),
    }


def fronted(servers: Iterable[Server]) -> list[Server]:
    """Each once, as its documentation wants it to meet slow clients.

    Behind a proxy it is the proxy that meets them: one of a family is enough.
    """
    found: dict[str, Server] = {}
    behind_one: set[str] = set()
    for one in servers:
        if not one.needs_proxy:
            found.setdefault(one.name, one)
        elif one.family not in behind_one:
            behind_one.add(one.family)
            server = BehindNginx(one)
            found.setdefault(server.name, server)
    return list(found.values())
