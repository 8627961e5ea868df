"""How soon a new worker is ready, by spawn method, beside a bare fork."""

from __future__ import annotations

import contextlib
import statistics
from functools import partial
from typing import TYPE_CHECKING, TypeGuard

from benchmarks.measures import admin_socket
from benchmarks.measures.base import Bench, Measure
from benchmarks.measures.respawn import passenger_respawn, passtwist_respawn
from benchmarks.measures.settling import read_once
from benchmarks.reference.forker import Forker
from benchmarks.results import Column
from benchmarks.servers import Running, Server
from benchmarks.servers.passtwist import Passtwist
from benchmarks.servers.passtwist_second import SECOND, PasstwistSecond
from benchmarks.sites import make_site

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.sites import Site

# The rows that are no servers: the way of bare_fork.py by name.
REFERENCES = {
    "os.fork": "once",
    "os.fork, twice": "twice",
    "os.fork, and a request": "request",
}
BARE = "os.fork"
DOUBLE = "os.fork, twice"
CONSERVATIVE = "passtwist conservative"
LV2 = "passtwist smart-lv2"


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
        "request* answers one through Django before. Other servers do not tell. The "
        "first worker of a second app, another copy of the site in the same "
        "virtualenv, is started while a worker of the first one runs; the server is "
        "new each time."
    )
    columns = (
        Column("spawn", "Spawn", "ms"),
        Column("to_fork", "Bare forks", "×"),
        Column("to_double", "Bare double forks", "×", better=""),
        Column("sooner", "Sooner than conservative", "×", better="more"),
        Column("sooner_lv2", "Sooner than smart-lv2", "×", better=""),
    )
    cases = (
        ("", "A further worker"),
        (SECOND, "The first worker of a second app"),
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
        self._second_app(bench, site, rounds)

    def installed(self, bench: Bench) -> list[Server]:
        """Those that tell, and are here."""
        return list(bench.installed(self, "", bench.select(tells)))

    def _second_app(self, bench: Bench, site: Site, rounds: int) -> None:
        methods = [one.method for one in bench.select(tells) if has_spawner(one)]
        if not methods:
            return
        folder = bench.folder / SECOND
        folder.mkdir()
        folder.chmod(0o711)
        second = make_site(site.name, folder)
        for number in range(rounds):
            seconds: dict[str, float] = {}
            for method in methods:
                server = PasstwistSecond(method, second)
                with (
                    bench.expected(self, SECOND, server),
                    Running(server, site, 1) as running,
                ):
                    seconds[server.name] = of_second_app(running)
            for name, values in beside_lv2(seconds).items():
                bench.record(self, SECOND, name, number, values)

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


def has_spawner(server: Server) -> TypeGuard[Passtwist]:
    """A second app may have some use of the first one's."""
    return isinstance(server, Passtwist) and server.method != "conservative"


def of_second_app(running: Running) -> float:
    """Seconds from its first request's decision to spawn until its worker is ready.

    :raises OSError: it does not answer.
    """
    running.get(f"/{SECOND}/pid", timeout=60)
    apps = {app["name"]: app for app in admin_socket.status(running)["apps"]}
    (worker,) = apps[SECOND]["workers"]
    seconds: float = worker["spawn_seconds"]
    return seconds


def median(times: int, measure: Callable[[], float]) -> float:
    """Of so many."""
    return statistics.median(measure() for _ in range(times))


def figures(medians: dict[str, float]) -> dict[str, dict[str, float]]:
    """The columns by name, from seconds by name."""
    found = {}
    for name, seconds in medians.items():
        values = {"spawn": seconds * 1000}
        for key, reference in (("to_fork", BARE), ("to_double", DOUBLE)):
            if reference in medians:
                values[key] = seconds / medians[reference]
        if CONSERVATIVE in medians:
            values["sooner"] = medians[CONSERVATIVE] / seconds
        found[name] = values
    return found


def beside_lv2(seconds: dict[str, float]) -> dict[str, dict[str, float]]:
    """The columns of the second app by name, from seconds by name."""
    found = {name: {"spawn": own * 1000} for name, own in seconds.items()}
    if LV2 in seconds:
        for name, values in found.items():
            values["sooner_lv2"] = seconds[LV2] / seconds[name]
    return found
