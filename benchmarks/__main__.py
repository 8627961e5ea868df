"""`python -m benchmarks`: measure the servers side by side and write the results.

    python -m benchmarks [--quick] [--measure NAME ...] [--server TEXT ...]

With --measure or --server it is a part of the whole: the results are printed,
and written only where --into says.  The status is 1 when passtwist failed at
something, 2 when nothing could be measured.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from benchmarks import stats
from benchmarks.measures import Bench, every_measure, say, scratch
from benchmarks.report.comparison import comparison
from benchmarks.report.files import NAME, read, write
from benchmarks.report.page import page, summary
from benchmarks.report.paths import without_paths
from benchmarks.results import Results, this_machine
from benchmarks.servers import every_server, quick_servers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from benchmarks.measures import Measure
    from benchmarks.servers import Server

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
RESULTS = Path(__file__).resolve().parent / "results"
EVERY = every_measure()


def main(words: Sequence[str] | None = None) -> int:
    """Do what is asked for; answers the exit status."""
    options = parsed(words)
    if options.list:
        return show_names()
    if options.compare:
        old, new = loaded(options.compare), loaded(options.render or latest())
        print(comparison(old, new, EVERY), end="")
        return 0
    if options.render:
        publish(loaded(options.render), options.into, whole=False)
        return 0
    # So that servers are stopped when the benchmark is.
    for number in ENDING:
        signal.signal(number, leave)
    results = measured(options)
    part = options.measure or options.server
    publish(results, options.into or (None if part else RESULTS), whole=not part)
    return status(results)


def measured(options: argparse.Namespace) -> Results:
    """Take all measures that are asked for."""
    servers = selected_servers(options.server, options.quick)
    measures = selected_measures(options.measure, options.quick)
    if any(one.name == "throughput" for one in measures) and not shutil.which("wrk"):
        give_up(
            "wrk makes the load of throughput and is not installed: apt-get install "
            "wrk, or take other measures with --measure"
        )
    begin = time.monotonic()
    with scratch() as folder:
        asked = frozenset(options.measure or ())
        bench = Bench(servers, options.quick, folder, asked)
        bench.results.quick = options.quick
        bench.results.date = datetime.now(UTC).isoformat(" ", "minutes")[:16]
        bench.results.machine = this_machine()
        for measure in measures:
            take(bench, measure)
    bench.results.seconds = round(time.monotonic() - begin, 1)
    return bench.results


def take(bench: Bench, measure: Measure) -> None:
    """One measure; if the measure itself breaks, the others are still worth it."""
    begin = time.monotonic()
    try:
        measure.take(bench)
    except Exception as error:  # noqa: BLE001  # it is shown, recorded, and the status tells
        traceback.print_exc()
        why = f"the measure itself broke: {error!r}"
        bench.absent(measure, "", "", "failed", why)
    say(f"{measure.name}: {time.monotonic() - begin:.0f} s")


def publish(results: Results, folder: Path | None, whole: bool) -> None:
    """Write what there is, and show the summary, or all of a part."""
    results = without_paths(results)
    print()
    if whole:
        print("\n".join(summary(results, stats.tables(results, EVERY))))
    else:
        print(page(results, EVERY, {}))
    if folder is not None:
        try:
            write(results, EVERY, folder)
        except ImportError:
            say("no pictures without matplotlib: pip install 'passtwist[bench]'")
        say(f"written to {folder}/{NAME}.json and {NAME}.md")


def status(results: Results) -> int:
    """What peers fail at is their affair; that nothing was measured is ours."""
    failures = [
        one
        for one in results.absences
        if one.kind == "failed" and (not one.server or stats.is_ours(one.server))
    ]
    for one in failures:
        say(f"FAILED {one.measure} {one.case} {one.server}: {one.reason}")
    if failures:
        return 1
    return 0 if results.samples else 2


def show_names() -> int:
    """What --measure and --server can be given."""
    print("Measures:")
    for measure in EVERY:
        print(f"  {measure.name:14} {measure.title}")
    print("Servers:")
    for server in every_server():
        lack = server.missing()
        print(f"  {server.name:32} {f'missing: {lack}' if lack else 'installed'}")
    return 0


def selected_servers(texts: Sequence[str] | None, quick: bool) -> list[Server]:
    """Those with one of the texts in their name; else all, or one of each kind."""
    if texts:
        found = [
            one for one in every_server() if any(text in one.name for text in texts)
        ]
        if not found:
            give_up(f"no server has {' or '.join(texts)} in its name; see --list")
        return found
    return quick_servers() if quick else every_server()


def selected_measures(asked: Sequence[str] | None, quick: bool) -> list[Measure]:
    """Those that were asked for; else all that such a run has."""
    if asked:
        return [one for one in EVERY if one.name in asked]
    return [one for one in EVERY if (one.in_quick if quick else one.in_full)]


def names() -> list[str]:
    """Of the measures."""
    return [one.name for one in EVERY]


def loaded(path: Path) -> Results:
    """The results in a file."""
    try:
        return read(path)
    except (OSError, ValueError) as error:
        give_up(f"{path}: {error}")


def latest() -> Path:
    """The results of the last whole run."""
    return RESULTS / f"{NAME}.json"


def give_up(why: str) -> NoReturn:
    """Say why, and end."""
    say(f"benchmarks: {why}")
    raise SystemExit(2)


def leave(number: int, frame: FrameType | None) -> NoReturn:
    """End through all `finally`; a second signal must not interrupt that."""
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.splitlines()[0]
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="take less, for a first look")
    add("--measure", action="append", choices=names(), help="only this one")
    add("--server", action="append", metavar="TEXT", help="only those so named")
    add("--into", type=Path, metavar="FOLDER", help="write the results there")
    add("--list", action="store_true", help="show the measures and the servers")
    add("--render", type=Path, metavar="FILE", help="show the page of results again")
    add("--compare", type=Path, metavar="OLD", help="ratios of OLD and of the latest")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
