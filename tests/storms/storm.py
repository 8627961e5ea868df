"""A storm: an app under load, what is done to it meanwhile, and what came of it.

Runs in: tests.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from passtwist.testing.waiting import wait_until
from tests.integration.sites import APPS, Site, serve
from tests.storms.crowd import Crowd
from tests.storms.record import Begun, Record, judge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from passtwist.testing.server import RunningServer

NAME = "storm"
WORKERS = 4

# How an app gets all layers that its method can have: the framework layer is
# there for apps that use a framework.
ROUTES: dict[str, dict[str, object]] = {
    "conservative": {"spawn_method": "conservative"},
    "smart-lv2": {"spawn_method": "smart-lv2"},
    "smart": {
        "spawn_method": "smart",
        "framework": "flask",
        "entry": "flask_app:app",
    },
}


@dataclass
class Storm:
    """What a storm is made with.

    :ivar threads: how many requests a worker has at a time.
    :ivar timeline: what was done and seen, with seconds since its begin.
    :ivar killed: pids, and what each of them was.
    """

    site: Site
    server: RunningServer
    crowd: Crowd
    settings_file: Path
    journal_file: Path
    chance: random.Random
    threads: int = 1
    timeline: list[tuple[float, str]] = field(default_factory=list)
    killed: dict[int, str] = field(default_factory=dict)
    begun_at: float = field(default_factory=time.monotonic)

    def note(self, text: str) -> None:
        """Put a line into the timeline."""
        self.timeline.append((round(time.monotonic() - self.begun_at, 3), text))

    def wait_for_requests(self, count: int) -> None:
        """Let it go on until there were so many in all."""
        tally = self.crowd.tally
        wait_until(lambda: tally.requests >= count, f"{count} requests", patience=600.0)

    def wait_until_full(self) -> float:
        """Wait until all workers that there may be serve; seconds that it took."""
        begin = time.monotonic()

        def full() -> bool:
            workers = self.server.workers(NAME, "idle", "busy")
            alive = [one for one in workers if one["pid"] not in self.killed]
            return len(alive) == WORKERS

        wait_until(full, f"{WORKERS} workers")
        return time.monotonic() - begin

    def journal(self) -> list[Begun]:
        """What the app was called with, in the order in which it began."""
        found = []
        for line in self.journal_file.read_text().splitlines():
            method, name, pid, version = line.split()
            found.append(Begun(method, name, int(pid), int(version)))
        return found

    def over(self) -> Record:
        """Let the last answers come, and say what came of it."""
        self.crowd.leave()
        return Record(
            verdict=judge(
                self.crowd.tally, self.journal(), set(self.killed), self.threads
            ),
            recycled=self.server.log().count(" is replaced: it has answered "),
            kills=Counter(self.killed.values()),
            seconds=time.monotonic() - self.begun_at,
            timeline=self.timeline,
        )


@contextmanager
def serving(
    folder: Path,
    method: str,
    seed: int,
    rate: float,
    wait: int = 20,
    threads: int = 1,
    links: bool = False,
    **keys: object,
) -> Iterator[Storm]:
    """A server with the app, WORKERS workers of it, and a crowd that asks.

    :param links: the app's root is a link to the folder of its first release.
    :param keys: of the app, beside those that it takes for its spawn *method*.
    """
    keys |= {"min_instances": WORKERS, "prestart": True, "threads": threads}
    keys |= ROUTES[method]
    # Two releases of one second and one size look alike to Python's cache.
    journal = folder / "journal"
    env = {"PYTHONDONTWRITEBYTECODE": "1", "STORM_JOURNAL": str(journal)}
    site = Site(folder, NAME, APPS / "storm", env=env, **keys)
    server_keys: dict[str, object] = {"access_log": "off", "max_pool_size": WORKERS}
    if links:
        first = site.root.rename(folder / "release-1")
        site.root.symlink_to(first)
    with serve(folder, site, **server_keys) as server:
        wait_until(lambda: len(server.workers(NAME, "idle")) == WORKERS, "all workers")
        with Crowd(server.port, rate, seed, wait) as crowd:
            yield Storm(
                site,
                server,
                crowd,
                folder / "passtwist.toml",
                journal,
                random.Random(seed),
                threads,
            )
