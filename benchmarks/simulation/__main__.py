"""``python -m benchmarks.simulation``: run it, and print what came of it."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from benchmarks.simulation.costs import costs
from benchmarks.simulation.faulty import faulty
from benchmarks.simulation.waiting import waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS = {"waiting": waiting, "faults": faulty, "costs": costs}


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.simulation",
        description="The real pool, in a simulated world.  The same seed gives the "
        "same output, apart from the part 'costs' and the last line.",
    )
    parser.add_argument("--seed", type=int, default=1, help="of all chance")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument(
        "--part", action="append", choices=PARTS, help="only this one; repeatable"
    )
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> None:
    """Print one part after the other."""
    options = parsed(words)
    begun = time.monotonic()
    for number, name in enumerate(options.part or PARTS):
        if number:
            print("\n")
        for line in PARTS[name](options.seed, options.quick):
            print(line, flush=True)
    seconds = time.monotonic() - begun
    print(f"\n\nSeed {options.seed}, {seconds:.0f} s.")


if __name__ == "__main__":
    main()
