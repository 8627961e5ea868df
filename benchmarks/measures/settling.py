"""When a server has come to rest, so that its memory can be read."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.processes import TICK, cpu_seconds

if TYPE_CHECKING:
    from benchmarks.servers import Running
    from benchmarks.sites import Site

WINDOW = 0.4  # seconds

# A server that looks after its workers now and then is at rest all the same.
NEARLY_NOTHING = 2 * TICK


def settle(running: Running) -> None:
    """Wait until no process comes or goes and none of them computes.

    :raises Failed: that did not happen.
    """
    pids: list[int] = []
    spent = 0.0

    def at_rest() -> bool:
        nonlocal pids, spent
        before, spent_before = pids, spent
        time.sleep(WINDOW)
        pids = running.pids()
        spent = cpu_seconds(pids)
        return pids == before and spent - spent_before <= NEARLY_NOTHING

    running.wait_until(at_rest, "to come to rest")


def read_once(site: Site) -> None:
    """Import the site once: the bytecode is there, and in memory, for all servers.

    The first server would else compile what the others only read.
    """
    command = [sys.executable, "-c", f"import {site.module}"]
    subprocess.run(command, cwd=site.folder, check=True)
