"""Building blocks for spawn methods.

Runs in: the controller.

Most spawn methods only choose the layers that a spawn goes through;
`RouteSpawner` is a spawner that does just that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakSet

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

# Of each spawn server, the spawners of apps that could share a framework spawner.
_sharers: WeakKeyDictionary[ISpawnToolkit, WeakSet[RouteSpawner]] = WeakKeyDictionary()


@implementer(ISpawner)
class RouteSpawner:
    """Spawns the workers of one app through a fixed route.

    :ivar method: name of the spawn method in effect.
    :ivar reason: why it is not the one asked for; "" when it is.
    :ivar route: as in `passtwist.model.SpawnRequest`.
    :ivar framework: equal for apps that could share a framework spawner.
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
        self.app_name = app.name
        self.framework = _framework(app)
        self.toolkit = toolkit
        self._generations: set[int] = set()

    def spawn(self, request: SpawnRequest) -> Deferred[IWorker]:
        """As `ISpawner.spawn`."""
        self._generations.add(request.generation)
        return self.toolkit.spawn(replace(request, route=self.route))

    def stop(self) -> None:
        """As `ISpawner.stop`."""
        _sharers.get(self.toolkit, WeakSet()).discard(self)
        if self.route and self._generations:
            below, since = max(self._generations) + 1, min(self._generations)
            self.toolkit.retire(self.app_name, below, since)


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
        return _sharing(RouteSpawner(app, toolkit, SMART, (FRAMEWORK, APP)))
    return smart_lv2_spawner(app, toolkit, no_framework_layer(app))


def frugal_spawner(app: AppSpec, toolkit: ISpawnToolkit) -> RouteSpawner:
    """As smart, but a framework spawner is only made for a second app.

    For one app alone it would cost more memory than it saves.  The first one
    goes on as it began until it is restarted.
    """
    others = {
        one.framework for one in _sharers.get(toolkit, ()) if one.app_name != app.name
    }
    if app.framework_key and _framework(app) not in others:
        return _sharing(smart_lv2_spawner(app, toolkit, alone(app)))
    return smart_spawner(app, toolkit)


def _sharing(spawner: RouteSpawner) -> RouteSpawner:
    _sharers.setdefault(spawner.toolkit, WeakSet()).add(spawner)
    return spawner


def _framework(app: AppSpec) -> tuple[object, ...]:
    """Those for which it is equal would most likely share a framework spawner."""
    return app.framework_key, app.framework, app.python, app.uid, app.freeze


def alone(app: AppSpec) -> str:
    """Why *app* has no framework spawner yet, for status."""
    return (
        f"no other app has used this {app.framework} yet, so a framework spawner "
        "would save nothing, and smart is smart-lv2"
    )


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
