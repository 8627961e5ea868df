"""From the start of the command to the first answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.measures.base import Bench, Measure
from benchmarks.measures.selection import runs_differently
from benchmarks.measures.settling import read_once
from benchmarks.results import Column
from benchmarks.servers import Running, Server
from benchmarks.sites import case

if TYPE_CHECKING:
    from collections.abc import Sequence

WORKER_COUNT = 2
CASES = ("hello", "django")


class ColdStart(Measure):
    """Nothing of the server runs before."""

    name = "cold-start"
    title = "Cold start"
    about = (
        "From the start of the server's command to its first answer, with "
        f"{WORKER_COUNT} workers ordered; one of them is enough to answer. Its files "
        "were read before, so it is the processor that is measured and not the disk."
    )
    columns = (Column("seconds", "First answer after", "s"),)
    cases = tuple((name, case(name).title) for name in CASES)

    def take(self, bench: Bench) -> None:
        servers = bench.select(runs_differently)
        for name in CASES[:1] if bench.quick else CASES:
            # A site of Django takes its time, and that hardly varies.
            once = bench.quick or name != CASES[0]
            self._case(bench, name, servers, 1 if once else 2)

    def _case(
        self, bench: Bench, name: str, servers: Sequence[Server], rounds: int
    ) -> None:
        site = bench.site(case(name).site)
        read_once(site)
        still = list(bench.installed(self, name, servers))
        for number in range(rounds):
            turns, still = still, []
            for server in turns:
                with bench.expected(self, name, server):
                    with Running(server, site, WORKER_COUNT) as running:
                        bench.know(running)
                        seconds = running.seconds_to_first_answer
                    values = {"seconds": seconds}
                    bench.record(self, name, server.name, number, values)
                    still.append(server)
