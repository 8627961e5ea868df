"""What a framework's child half gets to work with.

Runs in: framework spawners, app spawners and workers that load their app.

A child half is one file, standard library only, Python 3.9 and newer, with
plain functions.  `app` is always an `App`:

``load(app)``
    Mandatory.  Loads the app and returns its WSGI callable, or, in a child half
    that has `serve`, any callable that it serves.  The process is in
    ``app.root``, which is first on `sys.path`, and has the app's environment.
``preload(app)``
    In a framework spawner, before any app is known to be loaded: import the
    framework.  Must not touch the app, its settings or its environment; other
    apps with the same framework will be forked from this process.
``warm(app, application)``
    After `load`: do what the framework would do lazily at the first request.
    Free of side effects; nothing may be connected.
``before_fork(app)``
    In an app spawner, once, before the fork-safety audit: close what must not
    be shared with the workers.
``after_fork(app, worker)``
    In each worker forked from an app spawner.  `worker` is a
    `passtwist.worker.main.WorkerFacts`.
``serve(app, application, server)``
    In each worker: answer requests in HTTP/1.1 until told to stop, then return.
    `server` is a `passtwist.worker.own_server.OwnServer`.  Without it the worker
    answers, by calling the application, which then has to be WSGI.

An exception from any of them fails the spawn; its traceback is shown without
the frames of the server.  To import something that only the process of the
app has (`django`), import inside the function.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from types import ModuleType
from typing import Any, Mapping, Optional

from passtwist.model import AppSpec
from passtwist.spawnserver import entry


class App:
    """One application, as a child half sees it.

    :ivar name: unique among the apps of the server.
    :ivar root: absolute folder of the app.
    :ivar entry: what to load, see `passtwist.model.AppSpec.entry`.
    :ivar environment: ``production`` or ``development``.
    :ivar options: what the framework's detection found out.
    :ivar base_uri: where the app is mounted, ``/`` or ``/shop``.
    """

    def __init__(self, spec: AppSpec) -> None:
        self.name = spec.name
        self.root = spec.root
        self.entry = spec.entry
        self.environment = spec.environment
        self.options: Mapping[str, Any] = spec.options
        self.base_uri = spec.base_uri

    def load_entry(self) -> Any:
        """The object that `entry` names.

        :raises passtwist.spawnserver.entry.BadEntry: it names nothing.
        :raises Exception: whatever importing it raises.
        """
        return entry.resolve(self.entry, self.root)


class ChildHalf:
    """A loaded child half; functions that it does not have do nothing.

    :param path: its file; "" for none: then the app is what the entry names.
    :raises Exception: whatever its own code raises at import.
    """

    def __init__(self, path: str) -> None:
        self._module: Optional[ModuleType] = _load_file(path) if path else None

    def has(self, name: str) -> bool:
        """True when it has a function of that name."""
        return getattr(self._module, name, None) is not None

    def load(self, app: App) -> Any:
        """The app's WSGI callable."""
        if self._module is None:
            return app.load_entry()
        return self._module.load(app)

    def call(self, name: str, *arguments: Any) -> None:
        """Call one of the optional functions."""
        function = getattr(self._module, name, None)
        if function is not None:
            function(*arguments)


def open_child_half(code: str, spec: AppSpec) -> ChildHalf:
    """The child half of the framework of *spec*.

    :param code: RUNTIME_DIR/code.
    :raises ValueError: the name is not that of a file there.
    """
    if not spec.child:
        return ChildHalf("")
    if os.path.basename(spec.child) != spec.child or spec.child.startswith("."):
        raise ValueError("child half %r is not a file name" % spec.child)
    return ChildHalf(os.path.join(code, "frameworks", spec.child))


def _load_file(path: str) -> ModuleType:
    name = "passtwist_framework_" + os.path.basename(path).partition(".")[0]
    loaded = sys.modules.get(name)
    if loaded is not None:
        return loaded  # by the framework spawner that this process was forked from
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise ValueError("child half %s is not a Python file" % path)
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
