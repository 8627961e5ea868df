"""Debian's Passenger on its own: `passenger start` with the builtin engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.servers.base import Server, Setup, program
from benchmarks.servers.running import Failed

if TYPE_CHECKING:
    from benchmarks.servers.running import Running

LOADER = Path("/usr/share/passenger/helper-scripts/wsgi-loader.py")

THREADS_ARE_SOLD = (
    "One request at a time in each worker: more threads, and restarts without a "
    "gap, are in the paid edition."
)


class Passenger(Server):
    """`passenger start --engine=builtin`.

    Turbocaching is off because a cache would be measured; the update check and
    the telemetry are off because they call the outside.  There is no access log.
    """

    name = "passenger builtin"
    family = "passenger"
    remark = THREADS_ARE_SOLD

    def missing(self) -> str:
        return no_such_python() if program("passenger") else "apt-get install passenger"

    def version(self) -> str:
        return version_of_passenger()

    def command(self, setup: Setup) -> list[str]:
        return [
            program("passenger"),
            "start",
            "--engine=builtin",
            "--app-type=wsgi",
            "--startup-file=passenger_wsgi.py",
            f"--python={sys.executable}",
            "--address=127.0.0.1",
            f"--port={setup.port}",
            "--environment=production",
            f"--max-pool-size={setup.worker_count}",
            f"--min-instances={setup.worker_count}",
            "--disable-turbocaching",
            "--disable-security-update-check",
            "--disable-anonymous-telemetry",
            "--no-friendly-error-pages",
            f"--instance-registry-dir={setup.folder}",
            f"--log-file={setup.folder / 'passenger.log'}",
            f"--pid-file={setup.folder / 'pid'}",
            # Root's app would run as nobody, who may not read it.
            *(["--user=root"] if os.geteuid() == 0 else []),
        ]

    def environment(self, setup: Setup) -> dict[str, str]:
        # It leaves files there when it is killed.
        return {"TMPDIR": str(setup.folder)}

    def restart(self, running: Running) -> None:
        restart_app(running.setup.folder, running.setup.site.folder)


def no_such_python() -> str:
    """Why it has no use for our interpreter; empty: it has.

    Passenger's loader of WSGI apps imported `imp` until 6.0.19.
    """
    if find_spec("imp") or not LOADER.exists():
        return ""
    if not re.search(r"^import .*\bimp\b", LOADER.read_text(), re.MULTILINE):
        return ""
    return (
        f"Passenger {version_of_passenger()} starts no app with Python 3.12 or newer: "
        "its loader imports imp"
    )


@cache
def version_of_passenger() -> str:
    """As its command says."""
    said = subprocess.run(
        [program("passenger"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"\d+(\.\d+)+", said)
    return found[0] if found else said.strip()


def restart_app(registry: Path, app: Path) -> None:
    """Its documented way; there is one instance in that registry.

    The open source edition does it with a gap: requests wait.

    :raises Failed: it refused.
    """
    done = subprocess.run(
        [program("passenger-config"), "restart-app", str(app)],
        env={**os.environ, "PASSENGER_INSTANCE_REGISTRY_DIR": str(registry)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"passenger-config restart-app: {done.stdout}{done.stderr}")
