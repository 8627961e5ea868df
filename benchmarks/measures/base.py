"""What a measure is, and how all of them take turns between servers."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.attempts import explained
from benchmarks.results import Absence, Column, Results, Sample
from benchmarks.servers import Failed, HasNone, NotYet, Running, Server
from benchmarks.servers.base import as_shown
from benchmarks.sites import Site, make_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@dataclass(frozen=True)
class Amount:
    """How much is measured.

    :ivar rounds: turns of each server.
    :ivar seconds: of load in each turn.
    """

    rounds: int
    seconds: int


class Measure(ABC):
    """One table of the report.

    :ivar name: as the command line and the JSON have it.
    :ivar title: as the report has it.
    :ivar about: what is done and why, for the report; whole sentences.
    :ivar columns: the first one ranks; ratios are taken of those that have a
        `better`.
    :ivar cases: name and title of each table; one without a name if it has
        one table only.
    :ivar in_quick: a quick run has it, too; any run that asks for it has.
    :ivar in_full: a full run has it; else it is taken when it is asked for only.
    :ivar beside: names of peers that passtwist is compared with one by one, beside
        Passenger and the best one.
    """

    name: str
    title: str
    about: str
    columns: tuple[Column, ...]
    cases: tuple[tuple[str, str], ...] = (("", ""),)
    in_quick: bool = True
    in_full: bool = True
    beside: tuple[str, ...] = ()

    @abstractmethod
    def take(self, bench: Bench) -> None:
        """Take it and record samples and absences."""


@dataclass
class Bench:
    """A run of the benchmarks: which servers, how much, and what was found.

    :ivar quick: take less.
    :ivar folder: the sites are made in it.
    :ivar asked: the measures that were asked for by name.
    """

    servers: list[Server]
    quick: bool
    folder: Path
    asked: frozenset[str] = frozenset()
    results: Results = field(default_factory=Results)
    _sites: dict[str, Site] = field(default_factory=dict)

    def site(self, name: str) -> Site:
        """The site of that name, made once a run."""
        if name not in self._sites:
            self._sites[name] = make_site(name, self.folder)
        return self._sites[name]

    def select(self, wanted: Callable[[Server], bool]) -> list[Server]:
        """Those servers of this run that a measure is about."""
        return [one for one in self.servers if wanted(one)]

    def record(
        self,
        measure: Measure,
        case: str,
        server: str,
        turn: int,
        values: dict[str, float],
    ) -> None:
        """Keep the figures of one turn, and show them."""
        self.results.samples.append(Sample(measure.name, case, server, turn, values))
        shown = "  ".join(f"{key} {value:.5g}" for key, value in values.items())
        say(f"{measure.name} {case:9} {turn} {server:32} {shown}")

    def absent(
        self, measure: Measure, case: str, server: str, kind: str, why: str
    ) -> None:
        """Keep why there is no figure, and show it."""
        self.results.absences.append(Absence(measure.name, case, server, kind, why))
        say(f"{measure.name} {case:9} - {server:32} {kind}: {why}")

    def installed(
        self, measure: Measure, case: str, servers: Iterable[Server]
    ) -> Iterator[Server]:
        """Those that can be started here; the others are recorded as missing."""
        for server in servers:
            why = server.missing()
            if why:
                self.absent(measure, case, server.name, "missing", explained(why))
            else:
                yield server

    @contextlib.contextmanager
    def expected(self, measure: Measure, case: str, server: Server) -> Iterator[None]:
        """What a server lacks or fails at in the block is recorded, not raised."""
        try:
            yield
        except HasNone as lack:
            self.absent(measure, case, server.name, "none", str(lack))
        except NotYet as lack:
            self.absent(measure, case, server.name, "not yet", str(lack))
        except Failed as failure:
            self.absent(measure, case, server.name, "failed", str(failure))
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            # It is gone or answers nonsense: its own affair, not the others'.
            self.absent(measure, case, server.name, "failed", repr(error))

    def know(self, running: Running) -> None:
        """Keep its version and its command line, without our own paths."""
        server, setup = running.server, running.setup
        self.results.versions.setdefault(server.family, server.version())
        if server.remark:
            self.results.notes[server.name] = server.remark
        command = as_shown(server, setup)
        self.results.commands.setdefault(server.name, command)

    def interleave(
        self,
        measure: Measure,
        case: str,
        site: Site,
        servers: Iterable[Server],
        worker_count: int,
        rounds: int,
        turn: Callable[[Running], dict[str, float]],
        warm_up: Callable[[Running], object],
    ) -> None:
        """A B C, A B C, ...: all of them run, one of them is under load.

        What disturbs the machine for a while so disturbs each of them once.
        """
        with ended_together() as started:
            running: list[Running] = []
            for server in self.installed(measure, case, servers):
                with self.expected(measure, case, server):
                    one = Running(server, site, worker_count)
                    started.append(one.__enter__())
                    warm_up(one)
                    self.know(one)
                    running.append(one)
            for number in range(rounds):
                still: list[Running] = []
                for one in running:
                    with self.expected(measure, case, one.server):
                        self.record(measure, case, one.server.name, number, turn(one))
                        still.append(one)
                # One that failed has no second turn.
                running = still


@contextlib.contextmanager
def ended_together() -> Iterator[list[Running]]:
    """Those that the block adds are stopped at its end, all at a time.

    Some take seconds for it; a dozen one after the other would take minutes of
    a run.
    """
    started: list[Running] = []
    try:
        yield started
    finally:
        with ThreadPoolExecutor(len(started) or 1) as crowd:
            for _ in crowd.map(Running.close, started):
                pass


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder for the sites of a run."""
    with tempfile.TemporaryDirectory(prefix="ptwb-sites-") as name:
        folder = Path(name)
        # A server that root starts may have processes of another user.
        folder.chmod(0o711)
        yield folder


def say(line: str) -> None:
    """Progress, for the one who waits."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
