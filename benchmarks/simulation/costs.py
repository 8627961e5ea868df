"""What the pool's decisions cost, and how that grows with apps and workers."""

from __future__ import annotations

import gc
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.simulation.landscape import Landscape, Size, pool_limits
from benchmarks.simulation.nature import Faults, Nature, Processes, Rates
from benchmarks.simulation.recording import RecordedPool, play, timed, timed_singly
from benchmarks.simulation.report import table
from benchmarks.simulation.traffic import Mixture
from passtwist.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.simulation.recording import Call

# Fewer than in `faulty`, as many as a bad day has: requests are what counts.
BAD_DAY = Nature(
    service=Mixture(fast=0.3, slow=5.0, slow_share=0.2),
    processes=Processes(spawn=0.3, leave=0.05, die=0.005),
    faults=Faults(spawn_fails=0.01, kills=0.001, impatient=0.1),
    rates=Rates(killed=1e-4, detached=1e-4, restarted=1e-3),
)

# Apps and workers.
SIZES = ((1, 10), (10, 100), (100, 1000), (1000, 10_000))
WANTED = 20.0  # microseconds
ROUNDS = 3


@dataclass
class Case:
    """One size: what its pool was told, and what that costs.

    :ivar warm: what it was told before the first request came; not timed.
    :ivar rounds: seconds, one for each time that the rest was played.
    :ivar kinds: how many of each kind, and seconds for all of them.
    """

    size: Size
    warm: Sequence[Call]
    rest: Sequence[Call]
    rounds: list[float] = field(default_factory=list)
    kinds: dict[str, tuple[int, float]] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """Microseconds for whatever the pool is told, in the best round."""
        return min(self.rounds) / len(self.rest) * 1e6

    def warm_pool(self) -> Pool:
        """A fresh pool that knows of the apps and has its first workers."""
        pool = Pool(pool_limits(self.size))
        play(pool, self.warm)
        return pool


def recorded(size: Size, seed: int) -> Case:
    """Let it happen once."""
    landscape = Landscape(size, BAD_DAY, seed, RecordedPool)
    landscape.run()
    assert isinstance(landscape.pool, RecordedPool)
    record = landscape.pool.record
    return Case(size, record[: landscape.warm], record[landscape.warm :])


def measure(cases: Sequence[Case]) -> None:
    """Play the records, in turns, so that a disturbance meets all alike."""
    for turn in range(ROUNDS + 1):
        for case in cases:
            pool = case.warm_pool()
            gc.collect()
            gc.freeze()
            if turn < ROUNDS:
                case.rounds.append(timed(pool, case.rest))
            else:
                case.kinds = timed_singly(pool, case.rest)
            gc.unfreeze()


def costs(seed: int, quick: bool) -> Iterator[str]:
    """Lines to print; the only ones that differ from run to run."""
    requests = 20_000 if quick else 100_000
    sizes = SIZES[:-1] if quick else SIZES
    found = [recorded(Size(*size, requests), seed) for size in sizes]
    measure(found)
    yield (
        "Microseconds of CPU time for whatever the pool is told, "
        f"{requests:,} requests in each line.\n"
        "The last columns compare with the first line; log: of the workers."
    )
    yield ""
    first = found[0]
    rows = [
        (
            f"{case.size.apps:,} apps, {case.size.workers:,} workers",
            f"{len(case.rest):,}",
            f"{case.mean:.2f}",
            f"{case.mean / first.mean:.2f}x",
            f"{math.log(case.size.workers) / math.log(first.size.workers):.2f}x",
        )
        for case in found
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
            f"{last.size.apps:,} apps, {last.size.workers:,} workers: "
            f"{last.mean:.2f} µs, {verdict} than the {WANTED:g} that are wanted."
        )


def _by_kind(found: Sequence[Case]) -> str:
    rows = []
    for name in sorted({name for case in found for name in case.kinds}):
        row = [name]
        for case in found:
            count, seconds = case.kinds.get(name, (0, 0.0))
            row.append(f"{seconds / count * 1e6:.2f} ({count:,})" if count else "-")
        rows.append(row)
    heads = [f"{case.size.apps:,}/{case.size.workers:,}" for case in found]
    return table(("", *heads), rows)
