"""Fast requests among slow ones: by a schedule, and with all workers busy."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.load.open_loop import Kind, Outcome, Plan, put_on
from benchmarks.measures.base import Bench, Measure
from benchmarks.measures.throughput import serves_differently
from benchmarks.results import Column
from benchmarks.servers import Failed, Running, Server

if TYPE_CHECKING:
    from collections.abc import Callable

FAST = Kind("fast", "/", weight=9, length=12)
SLOW = Kind("slow", "/sleep?100", weight=1)

# Ten slow requests a second of 100 ms each keep one worker of two busy.
RATE = 100
OPEN_WORKERS = 2

CONNECTIONS = 64
CLOSED_WORKERS = 8
PATIENCE = 10.0

# What Python applications are mostly deployed on.
COMMON = ("passtwist", "passenger", "gunicorn", "uwsgi", "granian")


class Mixed(Measure):
    """Open loop: requests come when they come."""

    name = "mixed"
    title = "Fast requests among slow ones"
    about = (
        f"{RATE} requests a second, of independent arrivals (Poisson, the same for "
        "all servers of a round); one of ten keeps its worker for 100 ms. "
        f"{OPEN_WORKERS} workers each: on average one of them is busy with a slow "
        "request. The figures are those of the fast requests. Latencies count from "
        "the time when a request was due, also if it had to wait for a connection."
    )
    columns = (
        Column("p99", "p99", "ms"),
        Column("p50", "p50", "ms"),
        Column("max", "Slowest", "ms"),
        Column("errors", "Errors", "", better=""),
        Column("lag", "Generator's lag, p99", "ms", better=""),
    )

    def take(self, bench: Bench) -> None:
        if bench.quick:
            # The closed one says as much in a short time.
            return
        plan = Plan("", (FAST, SLOW), 1.5, RATE, patience=PATIENCE)
        take_turns(
            self,
            bench,
            bench.select(is_common),
            OPEN_WORKERS,
            rounds=3,
            turn=rounds_of(plan, self.figures),
        )

    def figures(self, found: Outcome) -> dict[str, float]:
        """One for each column."""
        fast = found.kinds["fast"].latency
        return {
            "p99": fast.p99,
            "p50": fast.p50,
            "max": fast.max,
            "errors": errors(found),
            "lag": found.lag_p99,
        }


class MixedClosed(Measure):
    """Closed loop: more clients than workers, all the time."""

    name = "mixed-closed"
    title = "Fast requests among slow ones, all workers busy"
    about = (
        f"{CONNECTIONS} clients, each of which asks again as soon as it has its "
        f"answer; one request of ten keeps its worker for 100 ms. {CLOSED_WORKERS} "
        "workers each, of one thread. Latencies are those of the fast requests: what "
        "they wait for is who is served when. The requests a second are all of them; "
        "800 is what so many workers can do."
    )
    columns = (
        Column("p99", "p99", "ms"),
        Column("p50", "p50", "ms"),
        Column("rate", "Requests/s", "/s", better="more", steady=True),
        Column("errors", "Errors", "", better=""),
        Column("busy", "Generator's load", "%", better=""),
    )
    beside = ("gunicorn gthread", "granian", "gunicorn sync", "uwsgi")

    def take(self, bench: Bench) -> None:
        seconds, rounds = (1.0, 3 if bench.quick else 5)
        plan = Plan(
            "", (FAST, SLOW), seconds, connections=CONNECTIONS, patience=PATIENCE
        )
        take_turns(
            self,
            bench,
            bench.select(is_common),
            CLOSED_WORKERS,
            rounds,
            rounds_of(plan, self.figures),
        )

    def figures(self, found: Outcome) -> dict[str, float]:
        """One for each column."""
        fast = found.kinds["fast"].latency
        answered = sum(one.answered for one in found.kinds.values())
        return {
            "p99": fast.p99,
            "p50": fast.p50,
            "rate": answered / found.seconds,
            "errors": errors(found),
            "busy": found.busy * 100,
        }


def take_turns(
    measure: Measure,
    bench: Bench,
    servers: list[Server],
    worker_count: int,
    rounds: int,
    turn: Callable[[Running], dict[str, float]],
) -> None:
    """Interleaved rounds with the plain site; all workers are there from the first."""

    def warm_up(running: Running) -> None:
        running.workers()
        put_on(Plan(running.url, (FAST,), 0.3, RATE, patience=PATIENCE))

    bench.interleave(
        measure, "", bench.site("wsgi"), servers, worker_count, rounds, turn, warm_up
    )


def rounds_of(
    plan: Plan, figures: Callable[[Outcome], dict[str, float]]
) -> Callable[[Running], dict[str, float]]:
    """A turn that puts on *plan*; another seed in each round, the same for all."""
    rounds: Counter[str] = Counter()

    def turn(running: Running) -> dict[str, float]:
        rounds[running.server.name] += 1
        seed = rounds[running.server.name]
        found = put_on(replace(plan, url=running.url, seed=seed))
        if not any(one.answered for one in found.kinds.values()):
            reasons = {name: one.reasons for name, one in found.kinds.items()}
            raise Failed(f"nothing was answered: {reasons}\n{running.tail()}")
        return figures(found)

    return turn


def errors(found: Outcome) -> int:
    """Of all kinds."""
    return sum(one.errors for one in found.kinds.values())


def is_common(server: Server) -> bool:
    """One of each that applications are mostly deployed on, with one thread."""
    return (
        server.family in COMMON and server.threads == 1 and serves_differently(server)
    )
