"""SIGKILL for whoever is there, in a steady rhythm.

Runs in: tests.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from passtwist.testing.server import RunningServer
    from tests.storms.storm import Storm

# Nobody's name in the status: a process on its way to be a worker or a spawner.
STARTING = "starting"


def roles(server: RunningServer) -> dict[int, str]:
    """What each process below the controller is, as far as the status says."""
    page = server.status()
    found = {page["spawn_server"]["pid"]: "manager"}
    for spawner in page["spawn_server"]["spawners"]:
        found[spawner["pid"]] = f"{spawner['kind']} spawner"
    for app in page["apps"]:
        for worker in app["workers"]:
            found[worker["pid"]] = "worker"
    return found


def kill_somebody(storm: Storm) -> None:
    """One of them; each role has the same chance, so that workers survive too."""
    known = roles(storm.server)
    by_role: dict[str, list[int]] = {}
    for pid in sorted(storm.server.processes()):
        by_role.setdefault(known.get(pid, STARTING), []).append(pid)
    if not by_role:
        return
    role = storm.chance.choice(sorted(by_role))
    pid = storm.chance.choice(by_role[role])
    assert pid > 1  # 0 would be this test's own process group
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    storm.killed[pid] = role
    storm.note(f"killed {role} {pid}")


def kill_on(storm: Storm, times: int, every: float = 0.3) -> None:
    """Kill *times* processes, one after the other.

    :param every: seconds; the storm's own rhythm, no wait for anything.
    """
    rhythm = threading.Event()
    for _ in range(times):
        rhythm.wait(every)
        kill_somebody(storm)
