"""passtwist with two apps: one that is measured, and one beside it."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from benchmarks.servers.base import program
from benchmarks.servers.passtwist import Passtwist

if TYPE_CHECKING:
    from benchmarks.servers.base import Setup
    from benchmarks.sites import Site

# The measured one has all other paths.
BASE_URI = "/noisy"
NEIGHBOUR = "noisy"

# What an operator would set for an app that is not to be trusted.
PRECAUTIONS = {
    "max_request_time": "1s",
    "memory_limit": "64MiB",
    "hard_memory_limit": "128MiB",
}


class PasstwistNeighbours(Passtwist):
    """Each of the two may have as many workers as the setup says.

    :param neighbour: the site of the one that is not measured.
    """

    def __init__(self, neighbour: Site) -> None:
        super().__init__("smart")
        self._neighbour = neighbour
        self.name = f"{self.name}, two apps"
        self.remark = "The app that is measured is the first one in the file."

    def files(self, setup: Setup) -> dict[str, str]:
        measured = self._keys("measured", setup.site, setup) | {"prestart": True}
        beside = self._keys(NEIGHBOUR, self._neighbour, setup) | {
            "base_uri": BASE_URI,
            **PRECAUTIONS,
        }
        lines: list[str] = []
        for app in (measured, beside):
            # TOML writes such strings, numbers and switches as JSON does.
            lines += ["[[app]]", *(f"{k} = {json.dumps(v)}" for k, v in app.items())]
        return {"passtwist.toml": "\n".join([*lines, ""])}

    def command(self, setup: Setup) -> list[str]:
        return [
            program("twistd"),
            "--nodaemon",
            "--pidfile=",
            "passtwist",
            f"--config={setup.folder / 'passtwist.toml'}",
            f"--listen=tcp:{setup.port}:interface=127.0.0.1",
            f"--runtime-dir={setup.folder / 'run'}",
            "--access-log=off",
            f"--max-pool-size={2 * setup.worker_count}",
            *(["--default-user=root"] if os.geteuid() == 0 else []),
        ]

    def _keys(self, name: str, site: Site, setup: Setup) -> dict[str, object]:
        return {
            "name": name,
            "root": str(site.folder),
            "spawn_method": self.method,
            "framework": site.framework,
            "entry": site.entry,
            "python": sys.executable,
            "min_instances": setup.worker_count,
            "max_instances": setup.worker_count,
        }
