"""Load an app: the steps that app spawners and fresh workers have in common.

Runs in: app spawners and workers that load their app.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from passtwist.model import AppSpec
from passtwist.spawnserver import environment, freezing, warmup
from passtwist.spawnserver.app_api import App, ChildHalf, open_child_half
from passtwist.worker.journal import Journal
from passtwist.worker.leaving import leave_copy
from passtwist.worker.own_server import OwnServer


class LoadedApp:
    """An app in this process.

    :ivar spec: what it was loaded by.
    :ivar app: what its framework's child half sees.
    :ivar application: what `load` of the child half has returned: a WSGI callable,
        unless the half has `serve`.
    """

    def __init__(
        self, spec: AppSpec, app: App, half: ChildHalf, application: Any
    ) -> None:
        self.spec = spec
        self.app = app
        self.half = half
        self.application = application

    @property
    def has_server(self) -> bool:
        """Its framework serves by itself."""
        return self.half.has("serve")

    def serve(self, server: OwnServer) -> None:
        """Let it."""
        self.half.call("serve", self.app, self.application, server)


def enter_app(spec: AppSpec, journal: Journal) -> None:
    """Make this process the app's: folder, environment, umask, `sys.path`.

    :raises OSError: its root can't be entered.
    """
    with journal.doing("enter_app"):
        freezing.check(spec.freeze)
        os.umask(spec.umask)
        os.chdir(spec.root)
        environment.enter(spec)
        if spec.root not in sys.path[:1]:
            sys.path.insert(0, spec.root)
        # A framework spawner may have looked before a file was there.
        importlib.invalidate_caches()


def load_app(spec: AppSpec, journal: Journal, code: str) -> LoadedApp:
    """Load and warm the app.

    :raises BaseException: whatever the app raises; SystemExit too.
    """
    app = App(spec)
    with journal.doing("load_app"):
        half = open_child_half(code, spec)
        application = _load(half, app)
        if not callable(application):
            raise TypeError(
                "load() of framework %s returned %s, which can't be called"
                % (spec.framework, type(application).__name__)
            )
    if half.has("warm") or spec.warmup:
        with journal.doing("warm_up"):
            half.call("warm", app, application)
            if half.has("serve"):
                warmup.leave_out(spec)
            else:
                warmup.run(application, spec)
    return LoadedApp(spec, app, half, application)


def _load(half: ChildHalf, app: App) -> Any:
    """Load the app; a process that it forks meanwhile ends here, not as a
    second spawner or worker that speaks for the first."""
    pid = os.getpid()
    try:
        application = half.load(app)
    except BaseException as error:
        if os.getpid() != pid:
            leave_copy(error)
        raise
    if os.getpid() != pid:
        leave_copy()
    return application
