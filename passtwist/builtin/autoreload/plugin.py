"""The restart trigger of development: a source file has changed.

Runs in: the controller, maybe as root, in a thread for each app in development.
Lists folders and looks at files by lstat; opens none of them and follows no
link.  watchfiles (the extra ``dev``) is imported when it is needed.

watchfiles only says when to look.  What has changed is found out by comparing
the times of all files, so that nothing is missed while folders come and go,
and nothing is taken for a change that is none.
"""

from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING

from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import IRestartTrigger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from passtwist.api.interfaces import IRestartableApp
    from passtwist.api.reactors import Reactor

    # When each file was changed, in nanoseconds.
    Times = dict[str, int]

# Code; templates and translations, which frameworks keep once they have read
# them, in development too (Django does); and variables that are read at start.
ENDINGS = (
    *(".py", ".html", ".htm", ".jinja", ".jinja2", ".j2", ".mo"),
    ".env",
)
# What the author of the app has not written.  Hidden folders too, and those
# that hold a virtualenv, whatever their name.
OTHERS = frozenset({"__pycache__", "node_modules", "site-packages"})
VIRTUALENV = "pyvenv.cfg"
MAX_FOLDERS = 5000
STEP = 100  # milliseconds without another change until one is told
# Without any either: what came while folders were not watched yet.
LOOK_EVERY = 1000  # milliseconds
STOP_WITHIN = 2.0  # seconds

_log = Logger(namespace="passtwist.autoreload")


def is_source(name: str) -> bool:
    """Whether a file of that name is read by the app when it starts."""
    return name.endswith(ENDINGS)


def walk(root: str, left_out: str = "") -> Iterator[tuple[str, list[str]]]:
    """The folders of an app's own, each with the names of its files.

    :param left_out: a folder that is none of them, with what is below it.
    """
    count = 0
    for folder, below, names in os.walk(root, followlinks=False):
        # The root may be one itself.
        if folder != root and (VIRTUALENV in names or folder == left_out):
            below.clear()
            continue
        below[:] = [one for one in below if one[0] != "." and one not in OTHERS]
        yield folder, names
        count += 1
        if count == MAX_FOLDERS:
            return


def times_of(root: str, left_out: str = "") -> tuple[list[str], Times]:
    """The folders to watch, and when each source file in them was changed."""
    folders, times = [], {}
    for folder, names in walk(root, left_out):
        folders.append(folder)
        for name in filter(is_source, names):
            path = os.path.join(folder, name)
            try:
                found = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode):
                times[path] = found.st_mtime_ns
    return folders, times


def difference(root: str, old: Times, new: Times) -> str:
    """What has changed, for the log; "" for nothing."""
    changed = sorted(path for path, _ in old.items() ^ new.items())
    if not changed:
        return ""
    paths = list(dict.fromkeys(changed))
    first = os.path.relpath(paths[0], root)
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{first}{more} changed"


class Watch:
    """Watches one app in a thread of its own until it is told to stop."""

    def __init__(self, app: IRestartableApp, reactor: Reactor) -> None:
        self._app = app
        self._reactor = reactor
        self._left_out = os.path.normpath(os.path.join(app.root, app.restart_dir))
        self._stopped = threading.Event()
        # Before the app can be loaded, which happens later in this thread.
        self._folders, self._times = times_of(app.root, self._left_out)
        if len(self._folders) == MAX_FOLDERS:
            _log.warn(
                "app {app}: has many folders; only {count} are watched",
                app=app.name,
                count=MAX_FOLDERS,
            )
        self._thread = threading.Thread(
            target=self._run, name=f"autoreload of {app.name}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join(STOP_WITHIN)

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._watch()
        except Exception:  # noqa: BLE001 - logged: the server goes on without it
            self._reactor.callFromThread(
                _log.failure,
                "app {app}: its files can't be watched; it is not reloaded any "
                "more when they change",
                Failure(),
                app=self._app.name,
            )

    def _watch(self) -> None:
        """Until folders came or went; then they have to be watched anew."""
        from watchfiles import watch

        folders = self._folders
        changes = watch(
            *folders,
            watch_filter=None,
            step=STEP,
            stop_event=self._stopped,
            rust_timeout=LOOK_EVERY,
            yield_on_timeout=True,
            recursive=False,
            ignore_permission_denied=True,
            raise_interrupt=False,
        )
        for found in changes:
            if found and not any(_matters(path) for _, path in found):
                continue
            self._look()
            if self._folders != folders:
                return

    def _look(self) -> None:
        before = self._times
        self._folders, self._times = times_of(self._app.root, self._left_out)
        reason = difference(self._app.root, before, self._times)
        if reason:
            self._reactor.callFromThread(self._changed, reason)

    def _changed(self, reason: str) -> None:
        if not self._stopped.is_set():
            self._app.restart(reason)


def _matters(path: str) -> bool:
    name = os.path.basename(path)
    return is_source(name) or "." not in name  # a folder, maybe one that went


@implementer(IRestartTrigger)
class Autoreload:
    """For apps in development."""

    name = "autoreload"
    description = "changes of an app's source files, in development"

    def watch(self, app: IRestartableApp, reactor: Reactor) -> Callable[[], None]:
        """As `IRestartTrigger.watch`."""
        if app.environment != "development":
            return _do_nothing
        try:
            import watchfiles  # noqa: F401 - whether it is there
        except ImportError:
            _log.warn(
                "app {app}: is not reloaded when its files change, because "
                "watchfiles is not installed: pip install 'passtwist[dev]'",
                app=app.name,
            )
            return _do_nothing
        return Watch(app, reactor).stop


def _do_nothing() -> None:
    """Nothing is watched."""


@hookimpl
def passtwist_restart_triggers() -> list[IRestartTrigger]:
    """One trigger."""
    return [Autoreload()]
