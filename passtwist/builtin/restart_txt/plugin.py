"""The restart triggers tmp/restart.txt and tmp/always_restart.txt.

Runs in: the controller, maybe as root.  An app's folder may be somebody else's:
files are only looked at by lstat, never opened, and a link in place of one
counts as no file.  Two system calls for each app and second.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from zope.interface import implementer

from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import IRestartTrigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall

    from passtwist.api.interfaces import IRestartableApp
    from passtwist.api.reactors import Reactor

ONCE = "restart.txt"
ALWAYS = "always_restart.txt"
LOOK_EVERY = 1.0  # seconds


class Watch:
    """Looks at the two files of one app, now and then every second.

    From the configured root each time: where that is a link to a release, it
    may lead to the next one by now.
    """

    def __init__(self, app: IRestartableApp, reactor: Reactor) -> None:
        self._app = app
        self._reactor = reactor
        self._folder = os.path.join(app.root, app.restart_dir)
        self._timer: IDelayedCall | None = None
        self._seen = self._look(ONCE)
        self._always = False
        self._see_always()
        self._wait()

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._timer = self._reactor.callLater(LOOK_EVERY, self._again)

    def _again(self) -> None:
        self._wait()
        self._see_always()
        found = self._look(ONCE)
        if found != self._seen:
            self._seen = found
            if found is not None:  # that it went away means nothing
                self._app.restart(f"{self._app.restart_dir}/{ONCE} was touched")

    def _see_always(self) -> None:
        always = self._look(ALWAYS) is not None
        if always != self._always:
            self._always = always
            reason = f"{self._app.restart_dir}/{ALWAYS} is there" if always else ""
            self._app.restart_before_requests(reason)

    def _look(self, name: str) -> tuple[int, ...] | None:
        """Which file it is, and when it was changed; None when there is none.

        Those of two releases may have the same time, as a build gave it to all.
        """
        try:
            found = os.stat(os.path.join(self._folder, name), follow_symlinks=False)
        except OSError:
            return None
        if stat.S_ISLNK(found.st_mode):
            return None
        return found.st_mtime_ns, found.st_ino, found.st_dev


@implementer(IRestartTrigger)
class RestartFiles:
    """As Passenger's, but also when no request comes."""

    name = "restart-txt"
    description = f"{ONCE} and {ALWAYS} in the folder restart_dir of an app"

    def watch(self, app: IRestartableApp, reactor: Reactor) -> Callable[[], None]:
        """As `IRestartTrigger.watch`."""
        return Watch(app, reactor).stop


@hookimpl
def passtwist_restart_triggers() -> list[IRestartTrigger]:
    """One trigger."""
    return [RestartFiles()]
