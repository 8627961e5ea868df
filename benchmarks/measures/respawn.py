"""Kill a server's only worker, and let the server say how long the next one took."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING

from benchmarks.measures import admin_socket
from benchmarks.servers import Failed
from benchmarks.servers.base import program

if TYPE_CHECKING:
    from benchmarks.servers import Running


def kill_worker(running: Running) -> int:
    """The one that answers; it has so answered a request.

    One that dies before its first comes back slowly, on purpose.
    """
    pid = int(running.get("/pid"))
    os.kill(pid, signal.SIGKILL)
    return pid


def passtwist_respawn(running: Running) -> float:
    """Seconds from the decision to spawn until the worker is ready.

    :raises Failed: there is no successor.
    """
    old = kill_worker(running)
    seconds: list[float] = []

    def ready() -> bool:
        with contextlib.suppress(OSError):
            seconds.extend(
                one["spawn_seconds"]
                for one in admin_socket.workers(running)
                if one["pid"] != old and one["state"] == "idle"
            )
        return bool(seconds)

    running.wait_until(ready, "to replace its worker")
    return seconds[0]


def passenger_respawn(running: Running) -> float:
    """The same, from the two times that it notes of each process.

    It only notices when it is asked for something.

    :raises Failed: there is no successor, or it says nothing of it.
    """
    old = kill_worker(running)
    new = old

    def ready() -> bool:
        nonlocal new
        with contextlib.suppress(OSError):
            new = int(running.get("/pid"))
        return new != old

    running.wait_until(ready, "to replace its worker")
    return spawn_seconds(passenger_status(running), new)


def passenger_status(running: Running) -> str:
    """As XML; the folder of the server is its instance registry."""
    registry = str(running.setup.folder)
    done = subprocess.run(
        [program("passenger-status"), "--show=xml"],
        env={**os.environ, "PASSENGER_INSTANCE_REGISTRY_DIR": registry},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    if done.returncode:
        raise Failed(f"passenger-status: {done.stderr or done.stdout}")
    return done.stdout


def spawn_seconds(status: str, pid: int) -> float:
    """Of one process in Passenger's status; the times there are microseconds.

    :raises Failed: there is no such process.
    """
    for process in re.findall(r"<process>.*?</process>", status, re.DOTALL):
        numbers = dict(re.findall(r"<(\w+)>(\d+)</", process))
        if int(numbers["pid"]) == pid:
            begin, end = numbers["spawn_start_time"], numbers["spawn_end_time"]
            return (int(end) - int(begin)) / 1e6
    raise Failed(f"Passenger's status has no process {pid}:\n{status}")
