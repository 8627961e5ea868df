"""What ten thousand idle connections cost: memory, and the time of the others."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.load.idle_clients import IdleClients
from benchmarks.load.open_loop import Kind, Plan, put_on
from benchmarks.measures.base import Bench, Measure
from benchmarks.measures.settling import settle
from benchmarks.processes import memory
from benchmarks.results import Column
from benchmarks.servers import Failed, Running
from benchmarks.servers.passtwist_patient import PasstwistPatient
from benchmarks.stats import HEADLINE

LIVE = Kind("live", "/", length=12)
COUNT = 10_000
RATE = 300
WORKER_COUNT = 2
# Together more than a minute, in which the idle ones are held.
ROUNDS = 10
SECONDS = 3.5

KIB = 1024


class IdleConnections(Measure):
    """Of passtwist alone: peers close such connections after some seconds."""

    name = "idle-connections"
    title = f"{COUNT} idle connections"
    about = (
        f"Two servers of the same kind: one with {COUNT} connections that have asked "
        "once and are kept, one without. In turns each gets the same load of live "
        f"requests, {RATE} a second (Poisson), for {SECONDS:g} s; the idle ones are "
        "held all the time. The ratio is between the two p99s of a round. Memory is "
        "what the controller has for itself (USS) more than before they came, for "
        "each of them; what the kernel has for their sockets is not in it."
    )
    columns = (
        Column("times", "p99, times that without idle ones", ""),
        Column("p99", "p99", "ms"),
        Column("p99_without", "p99 without idle ones", "ms", better=""),
        Column("kib", "Memory of an idle connection", "KiB"),
        Column("ended", "Idle ones ended", "", better=""),
    )
    in_quick = False
    in_full = False

    def take(self, bench: Bench) -> None:
        if not bench.select(lambda one: one.name == HEADLINE):
            return
        site, server = bench.site("wsgi"), PasstwistPatient()
        with bench.expected(self, "", server), ExitStack() as stack:
            beside, without = (
                stack.enter_context(Running(server, site, WORKER_COUNT))
                for _ in range(2)
            )
            for running in (beside, without):
                running.workers()
                live_p99(running, seed=0, seconds=1.0)
            rounds = 2 if bench.quick else ROUNDS
            turns = take_turns(beside, without, COUNT, rounds, SECONDS)
            for number, values in enumerate(turns):
                bench.record(self, "", server.name, number, values)


def take_turns(
    beside: Running, without: Running, count: int, rounds: int, seconds: float
) -> list[dict[str, float]]:
    """A live load beside so many idle connections, and without.

    :raises Failed: a live request was not answered.
    """
    settle(beside)
    before = memory(beside.pid).uss
    idle = IdleClients(beside.url, count)
    turns = []
    with idle:
        settle(beside)
        kib = (memory(beside.pid).uss - before) / count / KIB
        for seed in range(1, rounds + 1):
            plain = live_p99(without, seed, seconds)
            p99 = live_p99(beside, seed, seconds)
            times = p99 / plain
            turns.append({"times": times, "p99": p99, "p99_without": plain, "kib": kib})
    turns[-1]["ended"] = float(idle.ended)
    return turns


def live_p99(running: Running, seed: int, seconds: float) -> float:
    """Milliseconds.

    :raises Failed: some requests were not answered.
    """
    plan = Plan(running.url, (LIVE,), seconds, RATE, seed=seed)
    found = put_on(plan).kinds[LIVE.name]
    if found.errors:
        raise Failed(f"{found.errors} live requests failed\n{running.tail()}")
    return found.latency.p99
