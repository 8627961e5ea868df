"""The framework wsgi: any WSGI callable in a file of a usual name.

Runs in: the controller.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from zope.interface import implementer

from passtwist.api.detection import AppFiles, Detection
from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import IFramework
from passtwist.api.startup_files import (
    PASSENGER_ENTRY,
    PASSENGER_FILE,
    PASSENGER_REASON,
    has_passenger_file,
    module_attribute,
    module_factory,
)

if TYPE_CHECKING:
    from passtwist.model import AppSpec

FILES = ("wsgi.py", "app.py", "application.py", "main.py")


@implementer(IFramework)
class Wsgi:
    """Asked last: what other frameworks don't know may still speak WSGI."""

    name = "wsgi"
    description = (
        f"plain WSGI: {PASSENGER_FILE}, or {', '.join(FILES)} with application or app"
    )
    priority = 0
    child = os.path.join(os.path.dirname(__file__), "child.py")
    distribution = ""

    def detect(self, files: AppFiles) -> Detection | None:
        """As `IFramework.detect`."""
        if has_passenger_file(files):
            return Detection(PASSENGER_ENTRY, PASSENGER_FILE, (PASSENGER_REASON,))
        for path in FILES:
            if not files.is_file(path):
                continue
            name = module_attribute(files, path) or module_factory(files, path)
            if name:
                entry = f"{path.removesuffix('.py')}:{name}"
                return Detection(entry, path, (f"{path} defines {name}",))
        return None


@hookimpl
def passtwist_frameworks() -> list[IFramework]:
    """One framework."""
    return [Wsgi()]


@hookimpl
def passtwist_spawn_environment(app: AppSpec) -> dict[str, str]:
    """The variables by which Passenger tells apps their environment.

    For every app, whatever its framework: Passenger does it so, and apps that
    come from there read them.
    """
    return {"WSGI_ENV": app.environment, "PASSENGER_APP_ENV": app.environment}
