"""What the pool's decisions cost, and how that grows with apps and workers."""

from __future__ import annotations

import gc
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.simulation.landscape import Landscape, Size, pool_limits
from benchmarks.simulation.nature import Faults, Nature, Processes, Rates
from benchmarks.simulation.recording import RecordedPool, play, timed, timed_singly
from benchmarks.simulation.report import table
from benchmarks.simulation.traffic import Mixture
from passtwist.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Iterator

# Fewer than in `faulty`, as many as a bad day has: requests are what counts.
BAD_DAY = Nature(
    service=Mixture(fast=0.3, slow=5.0, slow_share=0.2),
    processes=Processes(spawn=0.3, leave=0.05, die=0.005),
    faults=Faults(spawn_fails=0.01, kills=0.001, impatient=0.1),
    rates=Rates(killed=1e-4, detached=1e-4),
)

# Apps and workers.
SIZES = ((1, 10), (10, 100), (100, 1000), (1000, 10_000))
WANTED = 20.0  # microseconds
ROUNDS = 3


@dataclass(frozen=True)
class Cost:
    """Of one size; microseconds.

    :ivar mean: of whatever the pool is told, the actions taken included.
    :ivar kinds: of each kind, with how many there were.
    """

    apps: int
    workers: int
    told: int
    mean: float
    kinds: dict[str, tuple[int, float]]


def measured(size: Size, seed: int) -> Cost:
    """Let it happen once, then play the record to fresh pools."""
    landscape = Landscape(size, BAD_DAY, seed, RecordedPool)
    landscape.run()
    assert isinstance(landscape.pool, RecordedPool)
    record = landscape.pool.record
    warm, rest = record[: landscape.warm], record[landscape.warm :]
    seconds = []
    kinds: dict[str, tuple[int, float]] = {}
    for turn in range(ROUNDS + 1):
        pool = Pool(pool_limits(size))
        play(pool, warm)
        gc.collect()
        gc.freeze()
        if turn < ROUNDS:
            seconds.append(timed(pool, rest))
        else:
            kinds = timed_singly(pool, rest)
        gc.unfreeze()
    return Cost(
        size.apps,
        size.workers,
        len(rest),
        min(seconds) / len(rest) * 1e6,
        {name: (count, total / count * 1e6) for name, (count, total) in kinds.items()},
    )


def costs(seed: int, quick: bool) -> Iterator[str]:
    """Lines to print; the only ones that differ from run to run."""
    requests = 20_000 if quick else 100_000
    sizes = SIZES[:-1] if quick else SIZES
    found = [measured(Size(*size, requests), seed) for size in sizes]
    yield (
        f"Microseconds for whatever the pool is told, {requests:,} requests in each "
        "line.\nThe last columns compare with the first line; log: of the workers."
    )
    yield ""
    first = found[0]
    rows = [
        (
            f"{cost.apps:,} apps, {cost.workers:,} workers",
            f"{cost.told:,}",
            f"{cost.mean:.2f}",
            f"{cost.mean / first.mean:.2f}x",
            f"{math.log(cost.workers) / math.log(first.workers):.2f}x",
        )
        for cost in found
    ]
    yield table(("", "told", "mean", "cost", "log"), rows)
    yield ""
    yield "Each kind by itself; looking at the clock is part of it:"
    yield ""
    yield _by_kind(found)
    if not quick:
        last = found[-1]
        verdict = "less" if last.mean < WANTED else "MORE"
        yield ""
        yield (
            f"{last.apps:,} apps, {last.workers:,} workers: {last.mean:.2f} µs, "
            f"{verdict} than the {WANTED:g} that are wanted."
        )


def _by_kind(found: list[Cost]) -> str:
    names = sorted({name for cost in found for name in cost.kinds})
    rows = []
    for name in names:
        row = [name]
        for cost in found:
            count, mean = cost.kinds.get(name, (0, 0.0))
            row.append(f"{mean:.2f} ({count:,})" if count else "-")
        rows.append(row)
    heads = [f"{cost.apps:,}/{cost.workers:,}" for cost in found]
    return table(("", *heads), rows)
