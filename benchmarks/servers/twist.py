"""`twist web --wsgi`: what Twisted itself has for WSGI."""

from __future__ import annotations

import os
from importlib.metadata import version

from benchmarks.servers.base import Server, Setup, program


class TwistWeb(Server):
    """One process and the thread pool of twisted.web's command."""

    name = "twist web"
    family = "twisted"
    one_process = True
    remark = (
        "One process with a pool of up to ten threads, for which it has no option. "
        "Nor is there one for no access log: it is written to a file."
    )

    def missing(self) -> str:
        return "" if program("twist") else "pip install twisted"

    def version(self) -> str:
        return version("twisted")

    def command(self, setup: Setup) -> list[str]:
        return [
            program("twist"),
            "--log-level=warn",
            "web",
            f"--listen=tcp:{setup.port}:interface=127.0.0.1",
            # Never /dev/null: root's would be renamed, as logs are, after 1 MB.
            f"--logfile={setup.folder}/access.log",
            f"--wsgi={setup.site.entry.replace(':', '.')}",
        ]

    def environment(self, setup: Setup) -> dict[str, str]:
        """It does not look for the app in its working directory."""
        before = os.environ.get("PYTHONPATH")
        folder = str(setup.site.folder)
        return {"PYTHONPATH": f"{folder}{os.pathsep}{before}" if before else folder}
