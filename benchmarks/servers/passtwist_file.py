"""passtwist that is set up by a file: for several apps, or keys without a flag."""

from __future__ import annotations

import json
import os
import sys
from abc import abstractmethod
from typing import TYPE_CHECKING

from benchmarks.servers.base import program
from benchmarks.servers.passtwist import Passtwist

if TYPE_CHECKING:
    from benchmarks.servers.base import Setup
    from benchmarks.sites import Site

NAME = "passtwist.toml"

Keys = dict[str, object]


class PasstwistFile(Passtwist):
    """Writes the file, and starts passtwist with it."""

    @abstractmethod
    def apps(self, setup: Setup) -> list[Keys]:
        """The keys of each ``[[app]]``."""

    def pool_size(self, setup: Setup) -> int:
        """The key `max_pool_size`."""
        return setup.worker_count

    def keys_of(self, site: Site, **more: object) -> Keys:
        """Those that each app has here, and *more*."""
        return {
            "root": str(site.folder),
            "spawn_method": self.method,
            "framework": site.framework,
            "entry": site.entry,
            "python": sys.executable,
            **more,
        }

    def files(self, setup: Setup) -> dict[str, str]:
        lines: list[str] = []
        for app in self.apps(setup):
            # TOML writes such strings, numbers and switches as JSON does.
            lines += ["[[app]]", *(f"{k} = {json.dumps(v)}" for k, v in app.items())]
        return {NAME: "\n".join([*lines, ""])}

    def command(self, setup: Setup) -> list[str]:
        return [
            program("twistd"),
            "--nodaemon",
            "--pidfile=",
            "passtwist",
            f"--config={setup.folder / NAME}",
            f"--listen=tcp:{setup.port}:interface=127.0.0.1",
            f"--runtime-dir={setup.folder / 'run'}",
            "--access-log=off",
            f"--max-pool-size={self.pool_size(setup)}",
            *(["--default-user=root"] if os.geteuid() == 0 else []),
        ]
