"""How long requests wait: the pool, theory, and a queue for each worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.simulation import assignment, theory
from benchmarks.simulation.report import milliseconds, table, times
from benchmarks.simulation.single_app import waits_in_pool
from benchmarks.simulation.traffic import Exponential, Mixture, poisson_trace
from benchmarks.simulation.waits import summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.simulation.waits import Waits

SERVICE = 0.1  # seconds
# Workers, threads of each, and how busy they are.
CASES = (
    (1, 1, 0.5),
    (1, 1, 0.8),
    (2, 1, 0.8),
    (8, 1, 0.5),
    (8, 1, 0.8),
    (8, 1, 0.9),
    (2, 4, 0.8),
    (32, 1, 0.9),
)
QUICK_CASES = ((1, 1, 0.5), (2, 1, 0.8), (8, 1, 0.8), (2, 4, 0.8))
# As in the benchmark `mixed`: one request in ten takes 100 ms.
MIXED = Mixture(fast=0.005, slow=0.1, slow_share=0.1)
RIVAL_CASES = ((2, 0.5), (2, 0.8), (8, 0.5), (8, 0.8), (32, 0.8))


def waiting(seed: int, quick: bool) -> Iterator[str]:
    """Lines to print."""
    count = 20_000 if quick else 200_000
    yield f"Waiting for a worker: {count:,} requests of one app in each line."
    yield ""
    yield f"Milliseconds; service exponential, {milliseconds(SERVICE)} on average."
    yield "± holds the true mean with a probability of 95 %."
    yield ""
    yield against_theory(seed, count, quick)
    yield ""
    yield (
        "Milliseconds; the same requests in the pool and in queues of the workers' "
        "own.\nOne request in ten takes 50 to 150 ms, the others 5 on average."
    )
    yield ""
    yield against_own_queues(seed, count, quick)


def against_theory(seed: int, count: int, quick: bool) -> str:
    """The pool beside Erlang's formula."""
    rows = []
    for workers, threads, load in QUICK_CASES if quick else CASES:
        servers = workers * threads
        rate = load * servers / SERVICE
        trace = poisson_trace(seed, count, rate, Exponential(SERVICE))
        found = summary(waits_in_pool(trace, workers, threads))
        mean = theory.mean_wait(servers, rate, SERVICE)
        p99 = theory.wait_not_exceeded(0.99, servers, rate, SERVICE)
        rows.append(
            (
                f"{workers} x {threads}",
                f"{load:.0%}",
                milliseconds(mean),
                milliseconds(found.mean),
                f"± {milliseconds(found.error)}",
                milliseconds(p99),
                milliseconds(found.p99),
            )
        )
    heads = ("workers x threads", "busy", "mean M/M/c", "mean pool", "")
    return table((*heads, "p99 M/M/c", "p99 pool"), rows)


def against_own_queues(seed: int, count: int, quick: bool) -> str:
    """The pool beside what servers without a common queue do."""
    rows = []
    for workers, load in RIVAL_CASES[:4] if quick else RIVAL_CASES:
        rate = load * workers / MIXED.mean
        trace = poisson_trace(seed, count, rate, MIXED)
        pool = summary(waits_in_pool(trace, workers))
        name = f"{workers} workers, {load:.0%} busy"
        rows.append((f"{name}: pool", *_figures(pool, pool)))
        for rival, waits in (
            ("in turns", assignment.in_turns(trace, workers)),
            ("at random (SO_REUSEPORT)", assignment.at_random(trace, workers, seed)),
            ("pinned connections", assignment.pinned(trace, workers, seed)),
        ):
            rows.append((f"  {rival}", *_figures(summary(waits), pool)))
    heads = ("", "mean", "of the pool's", "p99", "of the pool's", "longest")
    return table(heads, rows)


def _figures(found: Waits, pool: Waits) -> tuple[str, ...]:
    return (
        milliseconds(found.mean),
        times(found.mean, pool.mean),
        milliseconds(found.p99),
        times(found.p99, pool.p99),
        milliseconds(found.longest),
    )
