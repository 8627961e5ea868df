"""What came of a storm: everything that was promised and not kept.

Runs in: tests.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.storms.crowd import Tally


@dataclass(frozen=True)
class Begun:
    """A line of the app's journal: a request that it was called with."""

    method: str
    name: str
    pid: int
    version: int


@dataclass(frozen=True)
class Verdict:
    """What clients and app together say.

    :ivar inside: how many requests were answered 502 because they were in a worker
        that was killed.
    :ivar unexplained: what came instead of an answer otherwise, by request.
    :ivar repeated: requests that the app was called with more than once, though
        their client has asked once.
    :ivar lost: POST requests that were answered but that no worker has begun.
    :ivar workers: how many processes have begun a request.
    """

    tally: Tally
    inside: int
    unexplained: dict[str, str]
    repeated: list[str]
    lost: list[str]
    workers: int

    def faults(self) -> dict[str, object]:
        """All that may not be: empty if what was promised was kept."""
        found: dict[str, object] = {
            "failed": self.unexplained,
            "wrong": self.tally.wrong,
            "stale": self.tally.stale,
            "closed in idleness": self.tally.idle_closes,
            "repeated": self.repeated,
            "lost": self.lost,
        }
        return {name: what for name, what in found.items() if what}


def judge(
    tally: Tally, journal: Iterable[Begun], killed: set[int], threads: int
) -> Verdict:
    """Compare what clients were told with what the app has done.

    :param killed: pids of processes that were killed.
    :param threads: how many requests a worker has at a time.
    """
    times: Counter[str] = Counter()
    worker_of: dict[str, int] = {}
    for line in journal:
        times[line.name] += 1
        worker_of[line.name] = line.pid
    # None: a worker may be killed when it has said that it begins, to the controller
    # by the scoreboard, and before the app has written it down.
    allowed = {None, *killed}
    inside = [
        name
        for name, what in tally.failed.items()
        if what == "502" and worker_of.get(name) in allowed
    ]
    if len(inside) > threads * len(killed):
        inside = []  # more than there can have been
    return Verdict(
        tally=tally,
        inside=len(inside),
        unexplained={
            name: what for name, what in tally.failed.items() if name not in inside
        },
        repeated=[
            name
            for name, count in times.items()
            if count > 1 and name not in tally.asked_again
        ],
        lost=[
            name
            for name, what in tally.orders.items()
            if what == "200" and name not in times
        ],
        workers=len(set(worker_of.values())),
    )


@dataclass(frozen=True)
class Record:
    """A storm from its begin to its end.

    :ivar recycled: how many workers had answered as many requests as one may.
    :ivar kills: how many of each kind were killed.
    :ivar timeline: what was done and seen, with seconds since the begin.
    """

    verdict: Verdict
    recycled: int
    kills: Counter[str]
    seconds: float
    timeline: list[tuple[float, str]]

    def __str__(self) -> str:
        """For people."""
        verdict, tally = self.verdict, self.verdict.tally
        lines = [f"  {at:8.3f} s  {text}" for at, text in self.timeline]
        versions = ", ".join(
            f"{count} by release {version}"
            for version, count in sorted(tally.answered.items())
        )
        kills = ", ".join(f"{count} {what}" for what, count in self.kills.items())
        lines.append(
            f"{tally.requests} requests in {self.seconds:.1f} s, "
            f"{len(tally.orders)} of them POST; answered: {versions}"
        )
        lines.append(
            f"{verdict.workers} workers have begun requests, {self.recycled} of them "
            f"were recycled; killed: {kills or 'none'}; "
            f"{verdict.inside} requests were in killed workers; "
            f"{tally.goodbyes} connections closed with notice"
        )
        lines.append(f"faults: {verdict.faults() or 'none'}")
        return "\n".join(lines)
