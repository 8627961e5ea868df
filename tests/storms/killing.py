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

MANAGER, SPAWNER, WORKER = "manager", "spawner", "worker"
# One on its way to be a worker or a spawner: the status does not know it yet.
STARTING = "starting process"


def roles(server: RunningServer) -> dict[int, str]:
    """What each process below the controller is, as far as the status says."""
    page = server.status()
    found = {page["spawn_server"]["pid"]: MANAGER}
    for spawner in page["spawn_server"]["spawners"]:
        found[spawner["pid"]] = SPAWNER
    for app in page["apps"]:
        for worker in app["workers"]:
            found[worker["pid"]] = WORKER
    return found


def kill_one(storm: Storm, role: str) -> None:
    """One of that role; nobody, if there is none."""
    known = roles(storm.server)
    by_role: dict[str, list[int]] = {}
    for pid in sorted(storm.server.processes()):
        by_role.setdefault(known.get(pid, STARTING), []).append(pid)
    if role == WORKER and role not in by_role:
        role = STARTING
    if role not in by_role:
        return
    pid = storm.chance.choice(by_role[role])
    assert pid > 1  # 0 would be this test's own process group
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    storm.killed[pid] = role
    storm.note(f"killed {role} {pid}")


def kill_on(storm: Storm, times: int, every: float = 0.3) -> None:
    """Try *times* to kill one, one after the other.

    Each role has its turn, in an order left to chance: else a manager that is alone,
    because all others have been killed, would be what all kills meet from then on.

    :param every: seconds; the storm's own rhythm, no wait for anything.
    """
    rhythm = threading.Event()
    turns: list[str] = []
    for _ in range(times):
        rhythm.wait(every)
        if not turns:
            turns = [WORKER, SPAWNER, MANAGER]
            storm.chance.shuffle(turns)
        kill_one(storm, turns.pop())
