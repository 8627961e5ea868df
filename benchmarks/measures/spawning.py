"""How soon a new worker is ready, by spawn method, beside a bare fork."""

from __future__ import annotations

import contextlib
import statistics
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.measures.base import Bench, Measure
from benchmarks.measures.respawn import passenger_respawn, passtwist_respawn
from benchmarks.measures.settling import read_once
from benchmarks.reference.forker import Forker
from benchmarks.results import Column
from benchmarks.servers import Running, Server

if TYPE_CHECKING:
    from collections.abc import Callable

# The rows that are no servers: the way of bare_fork.py by name.
REFERENCES = {
    "os.fork": "once",
    "os.fork, twice": "twice",
    "os.fork, and a request": "request",
}
BARE = "os.fork"
CONSERVATIVE = "passtwist conservative"


class Spawning(Measure):
    """Workers are killed one after another; the server says how long the next took."""

    name = "spawning"
    title = "Spawn time"
    about = (
        "From the decision to spawn until the new worker of the Django site can accept "
        "a request, as the server itself tells: passtwist in its status, Passenger in "
        "`passenger-status --show=xml`. The one worker is killed and replaced again "
        "and again; the figure of a round is the median, and spawners are warm. "
        "*os.fork* is the least that it can take: a process that has loaded the same "
        "site forks, and the child sends one byte; *twice* is a fork by a fork; *and a "
        "request* answers one through Django before. Other servers do not tell."
    )
    columns = (
        Column("spawn", "Spawn", "ms"),
        Column("to_fork", "Bare forks", "×"),
        Column("sooner", "Sooner than conservative", "×", better="more"),
    )

    def take(self, bench: Bench) -> None:
        site = bench.site("django")
        read_once(site)
        rounds, spawns = (1, 5) if bench.quick else (3, 7)
        with contextlib.ExitStack() as stack:
            forker = stack.enter_context(Forker(site))
            running: list[Running] = []
            for server in self.installed(bench):
                with bench.expected(self, "", server):
                    one = stack.enter_context(Running(server, site, 1))
                    bench.know(one)
                    running.append(one)
            for number in range(rounds):
                running = self._round(bench, number, spawns, forker, running)

    def installed(self, bench: Bench) -> list[Server]:
        """Those that tell, and are here."""
        return list(bench.installed(self, "", bench.select(tells)))

    def _round(
        self,
        bench: Bench,
        number: int,
        spawns: int,
        forker: Forker,
        running: list[Running],
    ) -> list[Running]:
        """One turn of each; answers with those that did not fail."""
        still: list[Running] = []
        medians = {
            name: median(spawns, partial(forker.seconds, way))
            for name, way in REFERENCES.items()
        }
        for one in running:
            with bench.expected(self, "", one.server):
                respawn = partial(how(one.server), one)
                medians[one.server.name] = median(spawns, respawn)
                still.append(one)
        for name, values in figures(medians).items():
            bench.record(self, "", name, number, values)
        return still


def tells(server: Server) -> bool:
    """It says how long a spawn took; threads change nothing in it."""
    if server.family == "passtwist":
        return server.threads == 1
    return server.name == "passenger builtin"


def how(server: Server) -> Callable[[Running], float]:
    """What kills its worker and answers with the seconds of the next spawn."""
    return passtwist_respawn if server.family == "passtwist" else passenger_respawn


def median(times: int, measure: Callable[[], float]) -> float:
    """Of so many."""
    return statistics.median(measure() for _ in range(times))


def figures(medians: dict[str, float]) -> dict[str, dict[str, float]]:
    """The columns by name, from seconds by name."""
    found = {}
    for name, seconds in medians.items():
        values = {"spawn": seconds * 1000, "to_fork": seconds / medians[BARE]}
        if CONSERVATIVE in medians:
            values["sooner"] = medians[CONSERVATIVE] / seconds
        found[name] = values
    return found
