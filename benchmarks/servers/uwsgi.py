"""uWSGI behind its own HTTP router: one load and forks, or a load by each worker."""

from __future__ import annotations

import os
import signal
from importlib.metadata import version
from typing import TYPE_CHECKING

from benchmarks.servers.base import Server, Setup, from_pypi

if TYPE_CHECKING:
    from benchmarks.servers.running import Running

CHAIN_DONE = b"chain reloading complete"


class Uwsgi(Server):
    """`uwsgi --http ADDRESS`, the way that its documentation wants without a proxy.

    :param lazy_apps: each worker loads the app; needed for a chain reload.
    """

    family = "uwsgi"
    remark = (
        "Its router keeps connections alive only if answers say so; "
        "--add-header does that, as its documentation advises."
    )

    def __init__(self, threads: int = 1, lazy_apps: bool = False) -> None:
        self.threads = threads
        self.lazy_apps = lazy_apps
        of_threads = f", {threads} threads" if threads > 1 else ""
        self.name = f"uwsgi{' --lazy-apps' if lazy_apps else ''}{of_threads}"

    def missing(self) -> str:
        return "" if from_pypi("uwsgi") else "pip install uwsgi"

    def version(self) -> str:
        return version("uwsgi")

    def command(self, setup: Setup) -> list[str]:
        return [
            from_pypi("uwsgi"),
            f"--http=127.0.0.1:{setup.port}",
            "--http-keepalive",
            "--add-header=Connection: Keep-Alive",
            "--master",
            f"--master-fifo={setup.folder / 'fifo'}",
            f"--processes={setup.worker_count}",
            *self._options(),
            f"--module={setup.site.entry}",
            "--need-app",
            "--die-on-term",
            "--vacuum",
            "--disable-logging",
        ]

    def _options(self) -> list[str]:
        words = ["--lazy-apps"] if self.lazy_apps else []
        if self.threads > 1:
            # Its documentation has the lock for several processes with several
            # threads each, which would all wake up for each connection.
            words += [f"--threads={self.threads}", "--thunder-lock"]
        return words

    def restart(self, running: Running) -> None:
        """A chain reload, which wants --lazy-apps; without it, of the whole stack."""
        if not self.lazy_apps:
            os.kill(running.pid, signal.SIGHUP)
            return
        done = running.log.read_bytes().count(CHAIN_DONE)
        # Opened by the master before the first worker is there.
        fifo = os.open(running.setup.folder / "fifo", os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(fifo, b"c")
        finally:
            os.close(fifo)
        # Until the master has seen the last worker, it ignores the next order.
        running.wait_until(
            lambda: running.log.read_bytes().count(CHAIN_DONE) > done,
            "to complete the chain reload",
        )
