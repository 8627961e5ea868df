"""The environment of the processes that the spawn server starts.

Runs in: the manager and spawners.
"""

from __future__ import annotations

import os
import time
from typing import Dict, Mapping

from passtwist.model import AppSpec

# For the controller, or for the service manager that started it: an app that
# took LISTEN_FDS or NOTIFY_SOCKET for its own would speak in our name.
WITHHELD_PREFIXES = ("PASSTWIST_", "LISTEN_")
WITHHELD = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")

MARKER = "IN_PASSTWIST"

# What changes how an interpreter starts, so it can't wait until after that.
INTERPRETER_PREFIXES = ("PYTHON", "LD_", "MALLOC_", "GLIBC_")


# What apps of another user than the server's get of its environment: how to
# write and where to look, no secrets.
PASSED_ON = ("LANG", "LANGUAGE", "PATH", "TZ")
PASSED_ON_PREFIXES = ("LC_",)


def of_user(base: Mapping[str, str], app: AppSpec) -> Dict[str, str]:
    """What a process of *app* may see of *base*, the manager's environment."""
    if app.uid <= 0:
        return dict(base)
    result = {
        name: value
        for name, value in base.items()
        if name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)
    }
    result.update(USER=app.user, LOGNAME=app.user, HOME=app.home, SHELL=app.shell)
    return result


def inherited(base: Mapping[str, str]) -> Dict[str, str]:
    """What any process of an app gets of *base*, the manager's environment."""
    result = {
        name: value
        for name, value in base.items()
        if not name.startswith(WITHHELD_PREFIXES) and name not in WITHHELD
    }
    result["PYTHONUNBUFFERED"] = "1"
    result[MARKER] = "1"
    return result


def for_interpreter(app: AppSpec) -> Dict[str, str]:
    """The part of the app's own variables that its interpreter itself reads."""
    return {
        name: value for name, value in app.env if name.startswith(INTERPRETER_PREFIXES)
    }


def for_app(base: Mapping[str, str], app: AppSpec) -> Dict[str, str]:
    """The whole environment of a process of *app*."""
    result = inherited(base)
    result.update(app.env)
    return result


def enter(app: AppSpec) -> None:
    """Make this process's environment the app's."""
    wanted = for_app(os.environ, app)
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)
    if "TZ" in wanted:
        time.tzset()
