"""Debian's Passenger in Debian's Apache."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from benchmarks.servers.apache import MODULES, configuration
from benchmarks.servers.base import Server, Setup, program
from benchmarks.servers.passenger import (
    THREADS_ARE_SOLD,
    no_such_python,
    restart_app,
    version_of_passenger,
)

if TYPE_CHECKING:
    from benchmarks.servers.running import Running

LOCATIONS = "/usr/lib/ruby/vendor_ruby/phusion_passenger/locations.ini"
ALL_AS_ROOT = ["PassengerUserSwitching off", "PassengerDefaultUser root"]


class PassengerApache(Server):
    """`apache2 -f FILE -DFOREGROUND` with mod_passenger and the event MPM."""

    name = "passenger apache"
    family = "passenger"
    remark = THREADS_ARE_SOLD

    def missing(self) -> str:
        module = MODULES / "mod_passenger.so"
        if not (module.exists() and program("apache2") and program("passenger-config")):
            return "apt-get install libapache2-mod-passenger"
        return no_such_python()

    def version(self) -> str:
        return version_of_passenger()

    def command(self, setup: Setup) -> list[str]:
        return [
            program("apache2"),
            "-f",
            str(setup.folder / "apache.conf"),
            "-DFOREGROUND",
        ]

    def files(self, setup: Setup) -> dict[str, str]:
        site = setup.site.folder
        lines = [
            f"PassengerRoot {LOCATIONS}",
            f"PassengerInstanceRegistryDir {setup.folder}",
            f"PassengerMaxPoolSize {setup.worker_count}",
            "PassengerTurbocaching off",
            "PassengerDisableSecurityUpdateCheck on",
            "PassengerDisableAnonymousTelemetry on",
            # Root's app would run as nobody, who may not read it.
            *(ALL_AS_ROOT if os.geteuid() == 0 else []),
            f"<VirtualHost 127.0.0.1:{setup.port}>",
            f"DocumentRoot {site / 'public'}",
            f"PassengerAppRoot {site}",
            "PassengerAppType wsgi",
            "PassengerStartupFile passenger_wsgi.py",
            f"PassengerPython {sys.executable}",
            "PassengerAppEnv production",
            f"PassengerMinInstances {setup.worker_count}",
            "PassengerFriendlyErrorPages off",
            # The file that is watched for restarts: other servers share the site.
            f"PassengerRestartDir {setup.folder}",
            f"<Directory {site / 'public'}>",
            "Require all granted",
            "</Directory>",
            "</VirtualHost>",
        ]
        modules = {"passenger_module": "mod_passenger.so"}
        return {"apache.conf": configuration(setup, modules, lines)}

    def environment(self, setup: Setup) -> dict[str, str]:
        return {"TMPDIR": str(setup.folder)}

    def restart(self, running: Running) -> None:
        restart_app(running.setup.folder, running.setup.site.folder)
