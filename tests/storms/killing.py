"""SIGKILL for whoever is there, in a steady rhythm.

Runs in: tests.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

from tests.storms.storm import NAME

if TYPE_CHECKING:
    from passtwist.testing.server import RunningServer
    from tests.storms.storm import Storm

MANAGER, SPAWNER, WORKER = "manager", "spawner", "worker"
# One on its way to be a worker or a spawner, or that was one and leaves.
OTHER = "starting or leaving process"


def roles(server: RunningServer) -> dict[int, str]:
    """What each process below the controller is, as far as the status says."""
    page = server.status()
    found = {page["spawn_server"]["pid"]: MANAGER}
    for spawner in page["spawn_server"]["spawners"]:
        found[spawner["pid"]] = SPAWNER
    for worker in server.workers(NAME, "idle", "busy"):
        found[worker["pid"]] = WORKER
    return found


def kill_one(storm: Storm, role: str) -> None:
    """One of that role; those that start or leave have the role of workers, too.

    Nobody, if there is none, or no worker that serves: starting all anew takes longer
    than the time between two kills, on a slow machine, so that none would ever serve
    again, and nothing be tried but the patience of clients.
    """
    known = roles(storm.server)
    if WORKER not in known.values():
        storm.note(f"nobody serves, so no {role} is killed")
        return
    roles_of_victims = (role, OTHER) if role == WORKER else (role,)
    victims = [
        pid
        for pid in sorted(storm.server.processes())
        if known.get(pid, OTHER) in roles_of_victims
    ]
    if not victims:
        return
    pid = storm.chance.choice(victims)
    assert pid > 1  # 0 would be this test's own process group
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    storm.killed[pid] = known.get(pid, OTHER)
    storm.note(f"killed {storm.killed[pid]} {pid}")


def kill_on(storm: Storm, times: int, every: float = 0.3) -> None:
    """Try *times* to kill one, one after the other.

    Each role has its turn, in an order left to chance.

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
