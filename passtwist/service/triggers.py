"""Has the plugins' triggers watch all apps.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger
from zope.interface import implementer

from passtwist.api.interfaces import IRestartableApp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from passtwist.api.interfaces import IRestartTrigger
    from passtwist.api.reactors import Reactor
    from passtwist.api.settings import AppSettings
    from passtwist.service.apps import App
    from passtwist.service.gates import Gates
    from passtwist.service.restarts import Restarts


@implementer(IRestartableApp)
class RestartableApp:
    """What a trigger may know of an app and do to it, until it is let go."""

    def __init__(self, settings: AppSettings, restarts: Restarts, gates: Gates) -> None:
        self.name = settings.name
        self.root = settings.root
        self.restart_dir = settings.restart_dir
        self.environment = settings.environment
        self._restarts = restarts
        self._gates = gates
        self._is_gone = False

    @property
    def facts(self) -> tuple[str, ...]:
        """What it is watched by; once that differs, it has to be watched anew."""
        return (self.root, self.restart_dir, self.environment)

    def restart(self, reason: str) -> None:
        """See `IRestartableApp.restart`."""
        if not self._is_gone:
            self._restarts.request(self.name, reason)

    def restart_before_requests(self, reason: str) -> None:
        """See `IRestartableApp.restart_before_requests`."""
        if not self._is_gone:
            self._gates.restart_before_requests(self.name, reason)

    def let_go(self) -> None:
        """Whatever a trigger still does changes nothing any more."""
        self.restart_before_requests("")
        self._is_gone = True


class Triggers:
    """Keeps each app watched by each trigger.

    A trigger that raises is logged; the app goes without it.

    :param apps: by name; look again with `update` when they have changed.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(
        self,
        reactor: Reactor,
        triggers: Sequence[IRestartTrigger],
        apps: Mapping[str, App],
        restarts: Restarts,
        gates: Gates,
    ) -> None:
        self._reactor = reactor
        self._triggers = triggers
        self._apps = apps
        self._restarts = restarts
        self._gates = gates
        self._watched: dict[str, RestartableApp] = {}
        self._stops: dict[str, list[Callable[[], None]]] = {}

    def update(self) -> None:
        """Watch the apps as they are now: at start, and after a reload."""
        for name in list(self._watched):
            if name not in self._apps:
                self._leave(name)
                self._restarts.forget(name)
        for name, app in self._apps.items():
            watched = RestartableApp(app.settings, self._restarts, self._gates)
            before = self._watched.get(name)
            if before is None or before.facts != watched.facts:
                self._leave(name)
                self._watch(watched)

    def stop(self) -> None:
        """Watch nothing any more."""
        for name in list(self._watched):
            self._leave(name)

    def _watch(self, app: RestartableApp) -> None:
        self._watched[app.name] = app
        stops = self._stops[app.name] = []
        for trigger in self._triggers:
            try:
                stops.append(trigger.watch(app, self._reactor))
            except Exception:  # noqa: BLE001 - logged: the app can do without it
                self.log.failure(
                    "restart trigger {trigger} can't watch app {app}",
                    trigger=trigger.name,
                    app=app.name,
                )

    def _leave(self, name: str) -> None:
        app = self._watched.pop(name, None)
        if app is None:
            return
        for stop in self._stops.pop(name):
            try:
                stop()
            except Exception:  # noqa: BLE001 - logged: the others still have to stop
                self.log.failure("a restart trigger of app {app} fails", app=name)
        app.let_go()
