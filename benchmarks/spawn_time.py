"""How soon a worker of the Django example is ready, by spawn method.

One run, one machine: workers are killed one after the other and `spawn_seconds`
of their successors is read from the status page; it counts from the decision
to spawn until the worker can accept.  The first spawn, which has to start the
spawners as well, is printed apart.

    python benchmarks/spawn_time.py [--spawns 15]
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from passtwist.testing.server import RunningServer
from passtwist.testing.waiting import wait_until

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "django_site"
METHODS = ("conservative", "smart-lv2", "smart")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spawns", type=int, default=15)
    spawns = parser.parse_args().spawns
    with tempfile.TemporaryDirectory(prefix="ptw-bench-") as folder:
        site = Path(folder) / "django_site"
        shutil.copytree(EXAMPLE, site)
        subprocess.run([sys.executable, site / "prepare.py"], check=True)
        medians = {}
        print(
            f"{'method':14} {'first':>9} {'median':>9} {'min':>9} {'max':>9}  seconds"
        )
        for method in METHODS:
            first, later = measure(str(site), method, spawns)
            medians[method] = statistics.median(later)
            print(
                f"{method:14} {first:9.4f} {medians[method]:9.4f} "
                f"{min(later):9.4f} {max(later):9.4f}"
            )
    for method in METHODS[1:]:
        ratio = medians["conservative"] / medians[method]
        print(
            f"a worker by {method} is ready {ratio:.0f} times sooner than conservative"
        )


def measure(site: str, method: str, spawns: int) -> tuple[float, list[float]]:
    """Seconds of the first spawn, and of those that follow."""
    with RunningServer("--access-log=off", f"--spawn-method={method}", site) as server:
        assert server.get("/").status == 200
        (worker,) = server.workers("django_site")
        assert worker["spawn_method"] == method, worker
        first = worker["spawn_seconds"]
        later = []
        for _ in range(spawns):
            # One that dies before it has answered anything comes back slowly.
            assert server.get("/").status == 200
            old = worker["pid"]
            os.kill(old, signal.SIGKILL)

            def successor(old: int = old) -> dict | None:
                ready = server.workers("django_site", "idle")
                return next((one for one in ready if one["pid"] != old), None)

            worker = wait_until(successor, "the next worker")
            later.append(worker["spawn_seconds"])
        return first, later


if __name__ == "__main__":
    main()
