"""Building blocks for spawn methods.

Runs in: the controller.

Most spawn methods only choose the layers that a spawn goes through;
`RouteSpawner` is a spawner that does just that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zope.interface import implementer

from passtwist.api.interfaces import ISpawner, ISpawnToolkit
from passtwist.model import APP, FRAMEWORK

if TYPE_CHECKING:
    from typing import NoReturn

    from twisted.internet.defer import Deferred

    from passtwist.api.interfaces import ISpawnMethod, IWorker
    from passtwist.model import AppSpec, SpawnRequest

SMART = "smart"
SMART_LV2 = "smart-lv2"
CONSERVATIVE = "conservative"


@implementer(ISpawner)
class RouteSpawner:
    """Spawns the workers of one app through a fixed route.

    :ivar method: name of the spawn method in effect.
    :ivar reason: why it is not the one asked for; "" when it is.
    :ivar route: as in `passtwist.model.SpawnRequest`.
    """

    def __init__(
        self,
        app: AppSpec,
        toolkit: ISpawnToolkit,
        method: str,
        route: tuple[str, ...],
        reason: str = "",
    ) -> None:
        self.method = method
        self.reason = reason
        self.route = route
        self._app = app
        self._toolkit = toolkit
        self._generations: set[int] = set()

    def spawn(self, request: SpawnRequest) -> Deferred[IWorker]:
        """As `ISpawner.spawn`."""
        self._generations.add(request.generation)
        return self._toolkit.spawn(replace(request, route=self.route))

    def stop(self) -> None:
        """As `ISpawner.stop`."""
        if self.route and self._generations:
            below, since = max(self._generations) + 1, min(self._generations)
            self._toolkit.retire(self._app.name, below, since)


def conservative_spawner(
    app: AppSpec, toolkit: ISpawnToolkit, reason: str = ""
) -> RouteSpawner:
    """A fresh interpreter for each worker."""
    return RouteSpawner(app, toolkit, CONSERVATIVE, (), reason)


def smart_lv2_spawner(
    app: AppSpec, toolkit: ISpawnToolkit, reason: str = ""
) -> RouteSpawner:
    """Workers are forked from a process that has loaded the app."""
    return RouteSpawner(app, toolkit, SMART_LV2, (APP,), reason)


def smart_spawner(app: AppSpec, toolkit: ISpawnToolkit) -> RouteSpawner:
    """As smart-lv2, that process itself forked from one with the framework.

    Without a framework layer for *app* it is smart-lv2 and says why.
    """
    if app.framework_key:
        return RouteSpawner(app, toolkit, SMART, (FRAMEWORK, APP))
    return smart_lv2_spawner(app, toolkit, no_framework_layer(app))


def no_framework_layer(app: AppSpec) -> str:
    """Why *app* has no framework spawner, for status."""
    if app.framework == "wsgi":
        return "plain WSGI has no framework layer, so smart is smart-lv2"
    return (
        f"no {app.framework} that other apps could share was found for this app's "
        "interpreter, so smart is smart-lv2"
    )


def preview(method: ISpawnMethod, app: AppSpec) -> ISpawner:
    """A spawner of *method* to be asked what it would do, not to spawn."""
    return method.create_spawner(app, _NoToolkit())


@implementer(ISpawnToolkit)
class _NoToolkit:
    """Creating a spawner starts nothing; this one can't start anything later."""

    def spawn(self, request: SpawnRequest) -> NoReturn:
        raise AssertionError("a preview spawns nothing")

    def retire(
        self, app: str, below: int | None = None, since: int | None = None
    ) -> None:
        raise AssertionError("a preview retires nothing")
