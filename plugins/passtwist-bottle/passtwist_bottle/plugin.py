"""The framework bottle.

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
    from collections.abc import Iterator

FILES = ("wsgi.py", "app.py", "application.py", "main.py", "run.py", "server.py")
WORDS = ("import bottle", "from bottle import")
# What `@bottle.route` adds to; the child half imports the module first.
DEFAULT_APP = "bottle:default_app()"
MODULE_OPTION = "module"


@implementer(IFramework)
class Bottle:
    """A module that imports Bottle."""

    name = "bottle"
    description = f"Bottle: {', '.join(FILES)} that imports bottle"
    # Below Flask: who uses both most likely mounts the Bottle in the Flask.
    priority = 60
    child = os.path.join(os.path.dirname(os.path.abspath(__file__)), "child.py")
    distribution = "bottle"

    def detect(self, files: AppFiles) -> Detection | None:
        """As `IFramework.detect`."""
        importers = list(_importers(files))
        if not importers:
            return None
        reasons: tuple[str, ...] = (f"{importers[0]} imports bottle",)
        if has_passenger_file(files):
            return Detection(
                PASSENGER_ENTRY, PASSENGER_FILE, (*reasons, PASSENGER_REASON)
            )
        for path in importers:
            found = module_attribute(files, path) or module_factory(files, path)
            if found:
                entry = f"{_module(path)}:{found}"
                return Detection(entry, path, (*reasons, f"{path} defines {found}"))
        path = importers[0]
        reasons = (*reasons, "it names no application, so Bottle's default one")
        return Detection(DEFAULT_APP, path, reasons, {MODULE_OPTION: _module(path)})


def _importers(files: AppFiles) -> Iterator[str]:
    for path in FILES:
        if files.contains(path, *WORDS):
            yield path


def _module(path: str) -> str:
    return path.removesuffix(".py")


@hookimpl
def passtwist_frameworks() -> list[IFramework]:
    """One framework."""
    return [Bottle()]
