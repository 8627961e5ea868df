"""What servers that run in Debian's Apache share: an instance of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.servers.base import Setup

MODULES = Path("/usr/lib/apache2/modules")

# MaxRequestWorkers of Debian's mpm_event.conf.
MAX_CLIENTS = 150


def configuration(setup: Setup, modules: dict[str, str], lines: list[str]) -> str:
    """For Apache in the foreground, with no access log and nothing of the system's.

    What is not said here is as Apache and Debian have it by default.

    :param modules: what is loaded beside the least: file name by module.
    """
    modules = {
        "mpm_event_module": "mod_mpm_event.so",
        "authz_core_module": "mod_authz_core.so",
        **modules,
    }
    user = ["User www-data", "Group www-data"] if os.geteuid() == 0 else []
    return "\n".join(
        [
            f"ServerRoot {setup.folder}",
            f"DefaultRuntimeDir {setup.folder}",
            f"PidFile {setup.folder / 'apache.pid'}",
            "ErrorLog /dev/stderr",
            "ServerName 127.0.0.1",
            f"Listen 127.0.0.1:{setup.port}",
            *user,
            *(f"LoadModule {name} {MODULES / file}" for name, file in modules.items()),
            f"MaxRequestWorkers {MAX_CLIENTS}",
            *lines,
            "",
        ]
    )
