"""Memory after load: of each worker, and of everything together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.load.spread import PATH, Spread
from benchmarks.measures import admin_socket
from benchmarks.measures.base import Bench, Measure
from benchmarks.measures.selection import runs_differently
from benchmarks.measures.settling import read_once, settle
from benchmarks.processes import memory, memory_of
from benchmarks.results import Column
from benchmarks.servers import Failed, Running, Server
from benchmarks.servers.passtwist import Passtwist
from benchmarks.servers.passtwist_freeze import PasstwistFreeze

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.sites import Site

MIB = 1 << 20

# Where a case is about the way to a great many workers, these are enough.
MANY = (
    "passtwist auto",
    "passtwist smart",
    "gunicorn sync",
    "gunicorn sync --preload",
)


class Memory(Measure):
    """Django's login page from all workers, then rest, then smaps_rollup."""

    name = "memory"
    title = "Memory"
    about = (
        f"Each worker answers some hundred requests of Django's login page (`{PATH}`), "
        "each on a connection of its own; the answers say which worker made them, so "
        "that none is left out. Once the server is at rest, memory is read from "
        "`/proc/PID/smaps_rollup`. USS is what a worker has for itself alone, PSS "
        "counts each shared page in parts. *Together* is the PSS of all processes: "
        "master, router, spawners and controller included. Servers are measured one "
        "after another; all read the same files, whose bytecode was made before."
    )
    columns = (
        Column("total", "Together, PSS", "MiB"),
        Column("uss", "USS of a worker", "MiB"),
        Column("pss", "PSS of a worker", "MiB"),
        Column("app", "Workers and spawners, PSS", "MiB"),
        Column("controller", "Controller, PSS", "MiB"),
    )
    cases = (("2", "2 workers"), ("8", "8 workers"), ("32", "32 workers"))

    def take(self, bench: Bench) -> None:
        for server in bench.select(lambda one: one.one_process):
            why = "it has one process, and nothing to share"
            bench.absent(self, "", server.name, "none", why)
        site = bench.site("django")
        read_once(site)
        once = with_auto(with_immortal(bench.select(comes_once)))
        if bench.quick:
            self._case(bench, site, once, 2, 50)
            return
        many = [one for one in once if one.name in MANY]
        self._case(bench, site, once, 8, 300)
        self._case(bench, site, many, 32, 60)

    def _case(
        self,
        bench: Bench,
        site: Site,
        servers: Iterable[Server],
        worker_count: int,
        requests: int,
    ) -> None:
        case = str(worker_count)
        for server in bench.installed(self, case, servers):
            with (
                bench.expected(self, case, server),
                Running(server, site, worker_count) as running,
            ):
                values = after_load(running, requests)
                bench.know(running)
                bench.record(self, case, server.name, 0, values)


def after_load(running: Running, requests: int) -> dict[str, float]:
    """MiB, after so many requests for each worker and then nothing to do.

    :raises Failed: a worker was replaced meanwhile.
    """
    workers = running.workers()
    spread = Spread(running)
    spread.send(requests)
    settle(running)
    if set(spread.answered) != workers:
        raise Failed(
            f"the workers {sorted(workers)} were to answer, and "
            f"{sorted(spread.answered)} did\n{running.tail()}"
        )
    each = memory_of(workers)
    values = {
        "total": memory_of(running.pids()).pss / MIB,
        "uss": each.uss / len(workers) / MIB,
        "pss": each.pss / len(workers) / MIB,
    }
    if running.server.family == "passtwist":
        spawners = admin_socket.spawner_pids(running)
        values["app"] = memory_of([*workers, *spawners]).pss / MIB
        values["controller"] = memory(running.pid).pss / MIB
    return values


def with_immortal(servers: list[Server]) -> list[Server]:
    """Beside passtwist smart the same with an immortal heap: it matters here only."""
    found: list[Server] = []
    for server in servers:
        found.append(server)
        if server.name == "passtwist smart":
            found.append(PasstwistFreeze("immortal"))
    return found


def with_auto(servers: list[Server]) -> list[Server]:
    """Before passtwist smart the default: for one app it has no framework spawner."""
    found: list[Server] = []
    for server in servers:
        if server.name == "passtwist smart":
            found.append(Passtwist("auto"))
        found.append(server)
    return found


def comes_once(server: Server) -> bool:
    """One of each way that worker processes come to be."""
    alike = "gthread" in server.name or server.name == "passenger apache"
    return runs_differently(server) and not alike and not server.one_process
