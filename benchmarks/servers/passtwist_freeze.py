"""passtwist with a way to keep the loaded heap shared that is not the default."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from benchmarks.servers.base import program
from benchmarks.servers.passtwist import Passtwist

if TYPE_CHECKING:
    from benchmarks.servers.base import Setup

IMMORTAL_SINCE, IMMORTAL_UNTIL = (3, 12), (3, 13)


class PasstwistFreeze(Passtwist):
    """`freeze` has no flag: the app's settings are in a file.

    :param freeze: a value of that setting.
    """

    def __init__(self, freeze: str = "immortal") -> None:
        super().__init__("smart")
        self.freeze = freeze
        self.name = f"{self.name}, freeze={freeze}"
        self.remark = f'Its file has freeze = "{freeze}" beside what the flags say.'

    def missing(self) -> str:
        here = sys.version_info[:2]
        if self.freeze == "immortal" and not IMMORTAL_SINCE <= here <= IMMORTAL_UNTIL:
            return f"needs CPython 3.12 or 3.13; this run is of {here[0]}.{here[1]}"
        return super().missing()

    def files(self, setup: Setup) -> dict[str, str]:
        app = {
            "root": str(setup.site.folder),
            "spawn_method": self.method,
            "framework": setup.site.framework,
            "entry": setup.site.entry,
            "python": sys.executable,
            "min_instances": setup.worker_count,
            "threads": self.threads,
            "freeze": self.freeze,
        }
        # TOML writes such strings and numbers as JSON does.
        lines = (f"{key} = {json.dumps(value)}" for key, value in app.items())
        return {"passtwist.toml": "\n".join(["[[app]]", *lines, ""])}

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
            f"--max-pool-size={setup.worker_count}",
            *(["--default-user=root"] if os.geteuid() == 0 else []),
        ]
