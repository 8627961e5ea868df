"""Hundreds of apps while everything goes wrong that can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.simulation.landscape import Landscape, Size
from benchmarks.simulation.nature import Faults, Nature, Processes, Rates
from benchmarks.simulation.report import table
from benchmarks.simulation.traffic import Mixture
from benchmarks.simulation.waits import summary

if TYPE_CHECKING:
    from collections.abc import Iterator

# Hours of an operator's life in minutes, so that each of it happens often.
EVERYTHING = Nature(
    service=Mixture(fast=0.3, slow=5.0, slow_share=0.2),
    processes=Processes(spawn=0.3, leave=0.05, die=0.005),
    faults=Faults(
        spawn_fails=0.03,
        spawn_hangs=0.003,
        exits_early=0.01,
        ready_all_the_same=0.3,
        kills=0.002,
        hangs=0.0005,
        impatient=0.1,
        bad_code=0.3,
    ),
    rates=Rates(
        killed=1e-4,
        lost=1e-4,
        detached=1e-4,
        disabled=1e-4,
        restarted=2e-3,
        stormed=2e-4,
        reconfigured=1e-3,
        replaced=2e-4,
        memory_sampled=0.05,
        resized=0.05,
    ),
)

FULL = Size(apps=300, workers=2000, requests=200_000, checks=300)
QUICK = Size(apps=100, workers=300, requests=10_000, checks=50)


def faulty(seed: int, quick: bool) -> Iterator[str]:
    """Lines to print."""
    size = QUICK if quick else FULL
    landscape = Landscape(size, EVERYTHING, seed)
    world = landscape.run()
    ledger = world.ledger
    yield (
        f"Everything goes wrong: {size.apps} apps, {size.workers:,} workers, "
        f"{size.requests:,} requests, {world.agenda.now:,.0f} virtual seconds."
    )
    yield ""
    yield (
        f"The pool was told {world.events:,} things, its invariants were checked "
        f"{landscape.checked} times.\nEvery request had exactly one answer:"
    )
    yield ""
    yield _counted(ledger.answers)
    yield ""
    yield f"{world.spawns.begun:,} spawns; what the pool announced:"
    yield ""
    yield _counted(world.notices)
    yield ""
    yield (
        "Seconds until a worker began a request; the longest that anybody waited, "
        f"refused or not: {ledger.longest:.1f}."
    )
    yield ""
    yield by_rank(landscape)


def by_rank(landscape: Landscape) -> str:
    """Waits of apps that are asked for often, less often, and rarely."""
    names, ledger = landscape.names, landscape.world.ledger
    tenth, third = len(names) // 10, len(names) // 3
    rows = []
    for title, some in (
        (f"the first {tenth} apps", names[:tenth]),
        (f"the next {third - tenth}", names[tenth:third]),
        (f"the last {len(names) - third}", names[third:]),
    ):
        found = summary(ledger.begun_waits(set(some)))
        seconds = (found.mean, found.p99, found.longest)
        figures = (f"{value:.3f}" for value in seconds)
        rows.append((title, f"{found.count:,}", *figures))
    return table(("", "requests", "mean", "p99", "longest"), rows)


def _counted(counts: dict[str, int]) -> str:
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return table(("", ""), [(f"  {name}", f"{count:,}") for name, count in rows]).strip(
        "\n"
    )
