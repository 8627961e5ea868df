"""passtwist with two apps of one framework and one virtualenv."""

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

SECOND = "second"


class PasstwistSecond(Passtwist):
    """The first one has a worker from the start, the second is started when asked.

    :param second: the site of the second app, in a folder of its own.
    """

    def __init__(self, method: str, second: Site) -> None:
        super().__init__(method)
        self._second = second

    def files(self, setup: Setup) -> dict[str, str]:
        lines: list[str] = []
        for name, site in (("first", setup.site), (SECOND, self._second)):
            app = {
                "name": name,
                "base_uri": "/second" if name == SECOND else "/",
                "prestart": name != SECOND,
                "root": str(site.folder),
                "spawn_method": self.method,
                "framework": site.framework,
                "entry": site.entry,
                "python": sys.executable,
            }
            # TOML writes such strings and switches as JSON does.
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
            *(["--default-user=root"] if os.geteuid() == 0 else []),
        ]
