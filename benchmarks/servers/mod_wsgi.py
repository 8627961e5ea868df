"""mod_wsgi-express: Apache with mod_wsgi in daemon mode, configured by mod_wsgi."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import TYPE_CHECKING

from benchmarks.servers.apache import MAX_CLIENTS
from benchmarks.servers.base import Server, Setup, from_pypi, program

if TYPE_CHECKING:
    from benchmarks.servers.running import Running


class ModWsgi(Server):
    """`mod_wsgi-express start-server`; the access log is off by default."""

    family = "mod_wsgi-express"
    remark = (
        "It refuses to be root: started by root, it is www-data that may read all."
        if os.geteuid() == 0
        else ""
    )

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads
        of_threads = f", {threads} threads" if threads > 1 else ""
        self.name = f"mod_wsgi-express{of_threads}"

    def missing(self) -> str:
        if from_pypi("mod_wsgi-express"):
            return ""
        return "apt-get install apache2-dev; pip install mod-wsgi"

    def version(self) -> str:
        return version("mod-wsgi")

    def files(self, setup: Setup) -> dict[str, str]:
        # A file of its own, because touching it is what restarts the app.
        module, _, name = setup.site.entry.partition(":")
        return {"site.wsgi": f"from {module} import {name} as application\n"}

    def command(self, setup: Setup) -> list[str]:
        return [
            *(AS_WWW_DATA if os.geteuid() == 0 else []),
            from_pypi("mod_wsgi-express"),
            "start-server",
            "--host=127.0.0.1",
            f"--port={setup.port}",
            f"--processes={setup.worker_count}",
            f"--threads={self.threads}",
            f"--max-clients={MAX_CLIENTS}",
            # Half of them, which is what Apache itself begins with; mod_wsgi's
            # own twentieth closes kept connections until it has more.
            "--initial-workers=0.5",
            f"--server-root={setup.folder / 'apache'}",
            f"--python-path={setup.site.folder}",
            "--log-to-terminal",
            "--locale=C.UTF-8",
            str(setup.folder / "site.wsgi"),
        ]

    def environment(self, setup: Setup) -> dict[str, str]:
        return {"TMPDIR": str(setup.folder)}

    def restart(self, running: Running) -> None:
        # "Touch the WSGI script file": each process looks at the next request.
        os.utime(running.setup.folder / "site.wsgi")


# It refuses to be root.  Its own --user would be enough where everybody may read
# the interpreter and the site; this lets it read them wherever they are.
AS_WWW_DATA = [
    program("setpriv"),
    "--reuid=www-data",
    "--regid=www-data",
    "--clear-groups",
    "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override",
]
