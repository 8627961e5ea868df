"""The framework flask.

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
    packages,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from passtwist.model import AppSpec

WORD = "Flask("
# wsgi.py first: who has one keeps it for servers.
FILES = ("wsgi.py", "app.py", "application.py", "main.py", "run.py")
PACKAGE_FILES = ("__init__.py", "app.py", "wsgi.py")


@implementer(IFramework)
class Flask:
    """A module or package in which Flask( is called."""

    name = "flask"
    description = f"Flask: {', '.join(FILES)} or a package that calls {WORD})"
    priority = 80
    child = os.path.join(os.path.dirname(__file__), "child.py")
    distribution = "Flask"

    def detect(self, files: AppFiles) -> Detection | None:
        """As `IFramework.detect`."""
        modules = list(_modules(files))
        callers = [path for path, _ in modules if files.contains(path, WORD)]
        if not callers:
            return None
        reasons: tuple[str, ...] = (f"{callers[0]} calls {WORD})",)
        if has_passenger_file(files):
            return Detection(
                PASSENGER_ENTRY, PASSENGER_FILE, (*reasons, PASSENGER_REASON)
            )
        for path, module in modules:
            # wsgi.py only imports what a package makes.
            if path not in callers and path != "wsgi.py":
                continue
            found = module_attribute(files, path) or module_factory(files, path)
            if found:
                reasons = (*reasons, f"{path} defines {found}")
                return Detection(f"{module}:{found}", path, reasons)
        return None


def _modules(files: AppFiles) -> Iterator[tuple[str, str]]:
    """Path and module of each file where an application may be made."""
    for name in FILES:
        if files.is_file(name):
            yield name, name.removesuffix(".py")
    for package in packages(files):
        for name in PACKAGE_FILES:
            path = f"{package}/{name}"
            if files.is_file(path):
                tail = "" if name == "__init__.py" else "." + name.removesuffix(".py")
                yield path, package + tail


@hookimpl
def passtwist_frameworks() -> list[IFramework]:
    """One framework."""
    return [Flask()]


@hookimpl
def passtwist_spawn_environment(app: AppSpec) -> dict[str, str] | None:
    """Debugging in development; never in production, whatever we inherited."""
    if app.framework != Flask.name:
        return None
    return {"FLASK_DEBUG": "1" if app.environment == "development" else "0"}
