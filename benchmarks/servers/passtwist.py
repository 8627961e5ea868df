"""passtwist itself, in each spawn method, with one thread or more."""

from __future__ import annotations

import os
import subprocess
from importlib.metadata import version
from typing import TYPE_CHECKING

from benchmarks.servers.base import Server, Setup, program
from benchmarks.servers.running import Failed

if TYPE_CHECKING:
    from benchmarks.servers.running import Running

RESTART_WITHIN = 30.0  # seconds


class Passtwist(Server):
    """`twistd -n passtwist FOLDER`.

    :param method: the spawn method.
    """

    family = "passtwist"

    def __init__(self, method: str = "smart", threads: int = 1) -> None:
        self.method = method
        self.threads = threads
        of_threads = f", {threads} threads" if threads > 1 else ""
        self.name = f"passtwist {method}{of_threads}"

    def missing(self) -> str:
        return ""

    def version(self) -> str:
        return version("passtwist")

    def command(self, setup: Setup) -> list[str]:
        return [
            program("twistd"),
            "--nodaemon",
            "--pidfile=",
            "passtwist",
            f"--listen=tcp:{setup.port}:interface=127.0.0.1",
            f"--runtime-dir={setup.folder / 'run'}",
            "--access-log=off",
            f"--spawn-method={self.method}",
            f"--framework={setup.site.framework}",
            f"--entry={setup.site.entry}",
            f"--min-instances={setup.worker_count}",
            f"--max-pool-size={setup.worker_count}",
            f"--threads={self.threads}",
            # The sites are root's, and maybe closed for others.
            *(["--default-user=root"] if os.geteuid() == 0 else []),
            str(setup.site.folder),
        ]

    def restart(self, running: Running) -> None:
        """`passtwist restart`, which waits until only new code serves.

        :raises Failed: it did not.
        """
        runtime_dir = f"--runtime-dir={running.setup.folder / 'run'}"
        done = subprocess.run(
            [program("passtwist"), "restart", "--all", "--wait", runtime_dir],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RESTART_WITHIN,
            check=False,
        )
        if done.returncode != 0:
            raise Failed(f"passtwist restart: {done.stdout.strip()}")
