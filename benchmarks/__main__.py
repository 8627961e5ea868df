"""`python -m benchmarks`: measure the servers side by side and write the results.

    python -m benchmarks [--quick] [--measure NAME ...] [--server TEXT ...]

With --measure or --server it is a part of the whole: the results are printed,
and written only where --into says.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from benchmarks.measures import Bench, every_measure, scratch
from benchmarks.results import this_machine
from benchmarks.servers import every_server

RESULTS = Path(__file__).resolve().parent / "results"


def main() -> None:
    """Run what is asked for."""
    options = arguments()
    servers = [
        one
        for one in every_server()
        if not options.server or any(text in one.name for text in options.server)
    ]
    measures = [
        one
        for one in every_measure()
        if not options.measure or one.name in options.measure
    ]
    begin = time.monotonic()
    with scratch() as folder:
        bench = Bench(servers, options.quick, folder)
        bench.results.quick = options.quick
        bench.results.machine = this_machine()
        for measure in measures:
            measure.take(bench)
    bench.results.seconds = time.monotonic() - begin
    json.dump(bench.results.as_dict(), sys.stdout, indent=1)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="take less, for a first look"
    )
    names = [one.name for one in every_measure()]
    parser.add_argument(
        "--measure", action="append", choices=names, help="only this one"
    )
    parser.add_argument(
        "--server", action="append", help="only those with TEXT in their name"
    )
    parser.add_argument("--into", type=Path, help="folder to write the results to")
    return parser.parse_args()


if __name__ == "__main__":
    main()
