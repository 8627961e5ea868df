"""gunicorn: sync workers, threaded workers, sync workers from a preloaded master."""

from __future__ import annotations

import os
import signal
from importlib.metadata import version
from typing import TYPE_CHECKING

from benchmarks import processes
from benchmarks.servers.base import Server, Setup, from_pypi

if TYPE_CHECKING:
    from benchmarks.servers.running import Running


class Gunicorn(Server):
    """`gunicorn MODULE:APP`; the access log is off by default."""

    family = "gunicorn"

    def __init__(
        self, worker_class: str = "sync", threads: int = 1, preload: bool = False
    ) -> None:
        self.worker_class = worker_class
        self.threads = threads
        self.preload = preload
        # "We strongly recommend to use Gunicorn behind a proxy server", whatever
        # the workers; one that buffers slow clients for sync ones.
        self.needs_proxy = True
        of_threads = f", {threads} threads" if threads > 1 else ""
        self.name = (
            f"gunicorn {worker_class}{' --preload' if preload else ''}{of_threads}"
        )

    def missing(self) -> str:
        if not from_pypi("gunicorn"):
            return "pip install gunicorn"
        major, minor = map(int, version("gunicorn").split(".")[:2])
        if (major, minor) < (25, 1):
            return "pip install 'gunicorn>=25.1'"
        return ""

    def version(self) -> str:
        return version("gunicorn")

    def command(self, setup: Setup) -> list[str]:
        address = f"127.0.0.1:{setup.port}"
        if setup.socket:
            address = f"unix:{setup.socket}"
        return [
            from_pypi("gunicorn"),
            f"--bind={address}",
            f"--workers={setup.worker_count}",
            f"--worker-class={self.worker_class}",
            f"--threads={self.threads}",
            *(["--preload", f"--pid={setup.folder / 'pid'}"] if self.preload else []),
            # Else all that run at the same time have it at the same place, below
            # the user's home.
            "--no-control-socket",
            setup.site.entry,
        ]

    def restart(self, running: Running) -> None:
        """SIGHUP; if the app is preloaded, USR2 and then TERM to the old master.

        :raises Failed: no second master was there in time.
        """
        if not self.preload:
            os.kill(running.pid, signal.SIGHUP)
            return
        old = running.pid
        os.kill(old, signal.SIGUSR2)
        running.wait_until(lambda: is_complete(running), "to start a second master")
        running.hand_over(second_master(running))
        os.kill(old, signal.SIGTERM)
        # A third one is found by the same name.
        running.wait_until(lambda: not second_master(running), "to end the first one")


def second_master(running: Running) -> int:
    """The pid of the one that USR2 starts; 0 before, and as soon as it is alone."""
    try:
        return int((running.setup.folder / "pid.2").read_text())
    except (FileNotFoundError, ValueError):
        return 0


def is_complete(running: Running) -> bool:
    """The second master has as many workers as it should."""
    master = second_master(running)
    # Itself and those below it.
    wanted = 1 + running.setup.worker_count
    return master > 0 and len(processes.marked("none", master)) == wanted
