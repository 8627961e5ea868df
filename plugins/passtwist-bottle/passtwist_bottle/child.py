"""Bottle in its processes.

Runs in: framework spawners, app spawners and workers.  Standard library only;
Bottle is imported inside the functions, from the app's own interpreter.
"""

from __future__ import annotations

import importlib
from typing import Any

# As in the controller's half, which this file can't import.
_DEFAULT_APP = "bottle:default_app()"


def preload(app: Any) -> None:
    """Import Bottle.

    :raises ImportError: there is no Bottle in this interpreter.
    """
    importlib.import_module("bottle")


def load(app: Any) -> Any:
    """What the app's entry names, or Bottle's default application."""
    bottle: Any = importlib.import_module("bottle")
    # Bottle's own way to load modules that end with run(): it does nothing.
    bottle.NORUN = True
    bottle.debug(app.environment == "development")
    if app.entry == _DEFAULT_APP:
        importlib.import_module(app.options["module"])
    application = app.load_entry()
    # `from bottle import app` gives the stack of applications, which is
    # callable but no WSGI application; the one on top is meant.
    if isinstance(application, bottle.AppStack):
        return application()
    return application


def warm(app: Any, application: Any) -> None:
    """Apply the plugins to all routes, as the first request to each would."""
    bottle: Any = importlib.import_module("bottle")
    if isinstance(application, bottle.Bottle):
        for route in application.routes:
            route.prepare()
