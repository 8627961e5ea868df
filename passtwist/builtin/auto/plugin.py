"""The spawn method auto: smart, until an app turns out not to stand a fork.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger
from zope.interface import implementer

from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import ISpawner, ISpawnMethod, ISpawnToolkit
from passtwist.api.spawners import conservative_spawner, frugal_spawner
from passtwist.errors import SpawnError
from passtwist.model import UNSAFE, UNSAFE_FORK, Finding

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from passtwist.api.interfaces import IWorker
    from passtwist.api.spawners import RouteSpawner
    from passtwist.model import AppSpec, SpawnRequest

_log = Logger()


@implementer(ISpawner)
class AutoSpawner:
    """Smart, with a framework spawner once a second app can use it too.

    Conservative from the first finding of the fork-safety audit on.

    What was found once is not looked for again with each spawn: loading the
    app only to find it out would double every spawn's cost.
    """

    def __init__(self, app: AppSpec, toolkit: ISpawnToolkit) -> None:
        self._app = app
        self._toolkit = toolkit
        self._smart: RouteSpawner = frugal_spawner(app, toolkit)
        self._conservative: RouteSpawner | None = None

    @property
    def method(self) -> str:
        """As `ISpawner.method`."""
        return (self._conservative or self._smart).method

    @property
    def reason(self) -> str:
        """As `ISpawner.reason`."""
        return (self._conservative or self._smart).reason

    def spawn(self, request: SpawnRequest) -> Deferred[IWorker]:
        """As `ISpawner.spawn`."""
        if self._conservative is not None:
            return self._conservative.spawn(request)
        spawning: Deferred[IWorker] = self._smart.spawn(request)
        return spawning.addErrback(self._fall_back, request)

    def stop(self) -> None:
        """As `ISpawner.stop`; new code may have mended what was found."""
        self._conservative = None
        self._smart.stop()

    def _fall_back(self, failure: Failure, request: SpawnRequest) -> Deferred[IWorker]:
        error = failure.value
        if not isinstance(error, SpawnError) or error.category != UNSAFE_FORK:
            failure.raiseException()
        # Several spawns may have been under way.
        if self._conservative is None:
            findings = _findings(error, self._app.root)
            reason = f"not smart, as a fork would not be safe: {findings}"
            self._conservative = conservative_spawner(self._app, self._toolkit, reason)
            _log.warn(
                "app {app}: spawn method is conservative, {reason}",
                app=self._app.name,
                reason=reason,
            )
            self._smart.stop()
        return self._conservative.spawn(request)


def _findings(error: SpawnError, root: str) -> str:
    """What was found first, and how to learn of the rest, in one line."""
    unsafe = [
        one.sentence()
        for one in error.findings
        if isinstance(one, Finding) and one.level == UNSAFE
    ]
    if not unsafe:
        return error.summary
    if len(unsafe) == 1:
        return unsafe[0]
    return f"{unsafe[0]}; and {len(unsafe) - 1} more, see passtwist doctor {root}"


@implementer(ISpawnMethod)
class Auto:
    """The default."""

    name = "auto"
    aliases = ()
    description = "smart where the app stands it, else conservative"

    def create_spawner(self, app: AppSpec, toolkit: ISpawnToolkit) -> ISpawner:
        """As `ISpawnMethod.create_spawner`."""
        return AutoSpawner(app, toolkit)


@hookimpl
def passtwist_spawn_methods() -> list[ISpawnMethod]:
    """One spawn method."""
    return [Auto()]
