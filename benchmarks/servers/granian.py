"""Granian: an HTTP front in Rust in each worker, Python threads behind it."""

from __future__ import annotations

import os
import signal
from importlib.metadata import version
from typing import TYPE_CHECKING

from benchmarks.servers.base import Server, Setup, from_pypi

if TYPE_CHECKING:
    from benchmarks.servers.running import Running


class Granian(Server):
    """`granian --interface wsgi`; the access log is off by default."""

    family = "granian"
    remark = (
        "--blocking-threads is what its documentation has for limiting concurrency "
        "and for answers of a millisecond or so; for slower apps it advises the "
        "default, hundreds of threads. It replaces a dead worker only if told to, "
        "hence --respawn-failed-workers."
    )

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads
        self.name = "granian" + (f", {threads} threads" if threads > 1 else "")

    def missing(self) -> str:
        return "" if from_pypi("granian") else "pip install granian"

    def version(self) -> str:
        return version("granian")

    def command(self, setup: Setup) -> list[str]:
        return [
            from_pypi("granian"),
            "--interface=wsgi",
            "--host=127.0.0.1",
            f"--port={setup.port}",
            f"--workers={setup.worker_count}",
            f"--blocking-threads={self.threads}",
            "--respawn-failed-workers",
            "--no-access-log",
            setup.site.entry,
        ]

    def restart(self, running: Running) -> None:
        os.kill(running.pid, signal.SIGHUP)
