"""Load with intended times and corrected latency, from a process of its own.

    python -m benchmarks.load.open_loop URL --rate 100 --seconds 3 \\
        --kind fast / 9 12 --kind slow '/sleep?100' 1

A closed loop sends nothing while it waits, so that of a server that stalls it
sees little.  Here each request has its time, and its latency counts from then,
also when it had to wait for a connection (no "coordinated omission").  Without
--rate it is a closed loop: each connection asks again at once.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.load.open_loop_driver import Plan, drive
from benchmarks.load.open_loop_outcome import KindOutcome, Outcome, Spread, outcome_from
from benchmarks.load.open_loop_schedule import Kind

__all__ = ["Kind", "KindOutcome", "Outcome", "Plan", "Spread", "put_on"]

ROOT = Path(__file__).resolve().parents[2]


def put_on(plan: Plan) -> Outcome:
    """Put a load on a server from another process, and wait for its end.

    It ends at most `Plan.patience` seconds after the last request.

    :raises subprocess.CalledProcessError: the generator failed; a server that
        does not answer is no failure of it.
    """
    command = [
        sys.executable,
        "-m",
        "benchmarks.load.open_loop",
        plan.url,
        f"--rate={plan.rate}",
        f"--seconds={plan.seconds}",
        f"--connections={plan.connections}",
        f"--patience={plan.patience}",
        f"--seed={plan.seed}",
        *(["--constant"] if plan.constant else []),
    ]
    for kind in plan.kinds:
        command += ["--kind", kind.name, kind.path, str(kind.weight), str(kind.length)]
    run = subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=plan.seconds + plan.patience + 60,
    )
    return outcome_from(json.loads(run.stdout))


def main() -> None:
    """Put on the load that the command line says, and print what was found."""
    outcome = drive(arguments(sys.argv[1:]))
    json.dump(outcome.as_dict(), sys.stdout, indent=1)
    sys.stdout.write("\n")


def arguments(words: list[str]) -> Plan:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.open_loop")
    parser.add_argument("url", help="where the site's root is")
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=64, help="at most")
    parser.add_argument(
        "--patience", type=float, default=10.0, help="seconds for an answer"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--constant", action="store_true", help="equal distances, not Poisson arrivals"
    )
    parser.add_argument(
        "--kind",
        nargs="+",
        action="append",
        metavar=("NAME", "PATH WEIGHT LENGTH"),
        help="weight 1 and any length of the answer if left out",
    )
    options = vars(parser.parse_args(words))
    kinds = options.pop("kind") or [["all", "/"]]
    return Plan(kinds=[a_kind(*one) for one in kinds], **options)


def a_kind(name: str, path: str, weight: str = "1", length: str = "-1") -> Kind:
    """As words of the command line."""
    return Kind(name, path, int(weight), int(length))


if __name__ == "__main__":
    main()
