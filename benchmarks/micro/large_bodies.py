"""What a response and an upload of 1 MiB cost, beside gunicorn's sync workers.

Run: ``python -m benchmarks.micro.large_bodies [rounds]``.

Both servers run at the same time and are loaded in turns.  CPU time is that of all
processes of a server, from /proc, for one request; controller and workers of
passtwist are also told apart.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.load.wrk import wrk
from benchmarks.measures.throughput import UPLOADS
from benchmarks.processes import cpu_seconds
from benchmarks.servers.gunicorn import Gunicorn
from benchmarks.servers.passtwist import Passtwist
from benchmarks.servers.running import Running
from benchmarks.sites import make_site

SECONDS = 2
MEBIBYTE = 1 << 20
CASES = (("response", "/mebibyte", 32, 0), ("upload", "/upload", UPLOADS, MEBIBYTE))


def main(rounds: int) -> None:
    """Print a line for each server and case: medians over *rounds*."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Running(Passtwist(), site := make_site("wsgi", Path(folder)), 2) as ours,
        Running(Gunicorn(), site, 2) as theirs,
    ):
        servers = (ours, theirs)
        for running in servers:
            running.workers()
        print(f"{'':28}{'rate':>8}{'CPU':>8}{'first':>8}{'others':>8}  (µs)")
        for name, path, connections, upload in CASES:
            taken: dict[Running, list[tuple[float, ...]]] = {one: [] for one in servers}
            for _ in range(rounds):
                for running in servers:
                    taken[running].append(load(running, path, connections, upload))
            for running in servers:
                rate, *micros = map(median, zip(*taken[running], strict=True))
                cells = "".join(
                    f"{value:8.0f}" for value in (rate, sum(micros), *micros)
                )
                print(f"{name:10}{running.server.name:18}{cells}")


def load(
    running: Running, path: str, connections: int, upload: int
) -> tuple[float, float, float]:
    """Requests a second; CPU microseconds of the first process, and of the others."""
    pids = running.pids()
    others = [pid for pid in pids if pid != running.pid]
    before = cpu_seconds([running.pid]), cpu_seconds(others)
    result = wrk(running.url + path, SECONDS, connections, upload)
    spent = cpu_seconds([running.pid]) - before[0], cpu_seconds(others) - before[1]
    if result.errors or not result.requests:
        raise SystemExit(f"{running.server.name}: {result}\n{running.tail()}")
    per_request = 1e6 / result.requests
    return result.rate, spent[0] * per_request, spent[1] * per_request


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
