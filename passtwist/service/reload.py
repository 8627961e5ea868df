"""The settings of a running server: read anew, and put into effect as a whole.

Runs in: the controller.

Everything that can fail comes first: reading and checking the file, listening
on new endpoints, opening the access log, building the routing table.  What
comes then can't fail and happens in one turn of the reactor.  So either the
file is in effect, all of it, or nothing has changed.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from passtwist.api.settings_changes import compare
from passtwist.errors import PasstwistError, StartupError
from passtwist.pool import AppAdded, AppRemoved, ConfigChanged, PoolConfigChanged

if TYPE_CHECKING:
    from collections.abc import Callable

    from passtwist.api.settings import AppSettings, ServerSettings, Settings
    from passtwist.api.settings_changes import Changes
    from passtwist.pool import PoolLimits
    from passtwist.service.apps import App
    from passtwist.service.draining import Draining
    from passtwist.service.listening.listener import Listener
    from passtwist.service.parts import IsLog, Parts


SIGHUP = "SIGHUP"
_LOG_KEYS = {"access_log", "access_log_format"}
_LOCKED = "Cannot acquire lock"


class ReloadRefused(PasstwistError):
    """Nothing has changed; says why and what to do."""


@dataclass(frozen=True)
class Makers:
    """How the assembly makes what depends on settings.

    :ivar read: reads the settings as they were read at the start; None when
        they come from no file.  Raises PasstwistError.
    :ivar app: an app that is not known to the pool yet.
    :ivar pool_limits: what the pool has to know of the server's settings.
    :ivar front_end: checks what the front end has to know; what it answers puts
        that into effect.  Raises PasstwistError.
    :ivar access_log: another access log, not opened yet.
    """

    read: Callable[[], Settings] | None
    app: Callable[[AppSettings, ServerSettings], App]
    pool_limits: Callable[[ServerSettings], PoolLimits]
    front_end: Callable[[Settings], Callable[[], None]]
    access_log: Callable[[ServerSettings], IsLog]


@dataclass(frozen=True)
class Prepared:
    """What was made for new settings, ready to be put into effect."""

    settings: Settings
    changes: Changes
    listeners: list[Listener]
    access_log: IsLog | None
    switch_front_end: Callable[[], None]


class Reload:
    """Keeps the settings in effect, and replaces them.

    :param restart: restarts an app, rolling; takes its name and the reason.
    :param draining: says whether the server stops.
    :ivar settings: those in effect.
    :ivar error: why the last reload changed nothing, None when it was fine.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(
        self,
        settings: Settings,
        makers: Makers,
        restart: Callable[[str, str], object],
        draining: Draining,
    ) -> None:
        self.settings = settings
        self.error: str | None = None
        self.parts: Parts
        self._makers = makers
        self._restart = restart
        self._draining = draining

    @property
    def server(self) -> ServerSettings:
        """Section ``[server]``, as it is in effect."""
        return self.settings.server

    def run(self, restart_all: str = "") -> dict[str, Any]:
        """Read the settings anew and put them into effect.

        :param restart_all: a reason to restart, rolling, all apps that stay;
            "" to touch only what has changed.
        :returns: the ``file``, and sentences: ``changes`` and ``warnings``.
        :raises ReloadRefused: nothing has changed.
        """
        notifications = self.parts.notifications
        notifications.reloading()
        try:
            return self._run(restart_all)
        finally:
            notifications.ready()

    def _run(self, restart_all: str) -> dict[str, Any]:
        try:
            prepared = self._prepare(self._read())
        except ReloadRefused as refused:
            self.error = str(refused)
            self.log.error("reload: nothing has changed: {error}", error=self.error)
            raise
        self.error = None
        self._apply(prepared)
        renewed = {one.app.name for one in prepared.changes.changed if one.renewing}
        added = {app.name for app in prepared.changes.added}
        for name in tuple(self.parts.apps):
            if name not in added and (restart_all or name in renewed):
                self._restart(name, restart_all or "its settings have changed")
        return self._report(prepared)

    def hung_up(self) -> None:
        """SIGHUP: read the settings anew if there is a file, and restart all apps.

        With a file that can't be put into effect nothing is restarted either.
        """
        if self._makers.read is None and not self._draining.is_final:
            for name in tuple(self.parts.apps):
                self._restart(name, SIGHUP)
            return
        try:
            self.run(SIGHUP)
        except ReloadRefused:
            pass  # is in the log and in the status

    # --- what can fail --------------------------------------------------------

    def _read(self) -> Settings:
        if self._draining.is_final:
            raise ReloadRefused("the server is stopping")
        if self._makers.read is None:
            raise ReloadRefused(
                "the settings come from the command line; there is no file to read"
            )
        file = self.settings.file
        if os.path.exists(file) and not os.path.isfile(file):
            # To open a FIFO would stop the server until somebody writes.
            raise ReloadRefused(f"{file} is no regular file; nothing was read")
        try:
            return self._makers.read()
        except PasstwistError as error:
            raise ReloadRefused(str(error)) from error

    def _prepare(self, settings: Settings) -> Prepared:
        changes = compare(self.settings, settings)
        if changes.fixed:
            raise ReloadRefused("\n".join(changes.fixed))
        try:
            switch_front_end = self._makers.front_end(settings)
            access_log = self._prepare_log(settings, changes)
        except PasstwistError as error:
            raise ReloadRefused(str(error)) from error
        try:
            listeners = self.parts.listeners.added(changes.listen_added)
        except StartupError as error:
            if access_log is not None:
                access_log.close()
            raise ReloadRefused(f"{error}{_remedy(error, changes)}") from error
        return Prepared(settings, changes, listeners, access_log, switch_front_end)

    def _prepare_log(self, settings: Settings, changes: Changes) -> IsLog | None:
        if not _LOG_KEYS & set(changes.server):
            return None
        log = self._makers.access_log(settings.server)
        log.open()
        return log

    # --- what can't -----------------------------------------------------------

    def _apply(self, prepared: Prepared) -> None:
        parts, changes = self.parts, prepared.changes
        self.settings = prepared.settings
        server = prepared.settings.server
        parts.spawn_server.spawner_idle_time = server.spawner_idle_time
        if changes.server:
            parts.gateway.tell(PoolConfigChanged(self._makers.pool_limits(server)))
        for settings in changes.added:
            app = parts.apps[settings.name] = self._makers.app(settings, server)
            parts.gateway.tell(AppAdded(app.name, app.limits))
        for change in changes.changed:
            app = parts.apps[change.app.name]
            app.change(change.app, server)
            parts.gateway.tell(ConfigChanged(app.name, app.limits))
        # Requests go to apps that the pool knows: it learns of new ones before
        # they do, and forgets the others after them.
        prepared.switch_front_end()
        for name in changes.removed:
            parts.gateway.tell(AppRemoved(name))
            parts.apps.pop(name).stop()
        parts.triggers.update()
        parts.listeners.keep(prepared.listeners)
        parts.listeners.remove(changes.listen_removed)
        parts.listeners.renew()
        if prepared.access_log is not None:
            parts.access_log.take_over(prepared.access_log)

    def _report(self, prepared: Prepared) -> dict[str, Any]:
        settings = prepared.settings
        changes = list(prepared.changes.sentences())
        warnings = list(settings.warnings())
        self.log.info(
            "reload: {changes}", changes="; ".join(changes) or "nothing is different"
        )
        for warning in warnings:
            self.log.warn("settings: {warning}", warning=warning)
        return {"file": settings.file, "changes": changes, "warnings": warnings}


def _remedy(error: StartupError, changes: Changes) -> str:
    """What to do about an endpoint that can't be listened on."""
    cause = getattr(error.__cause__, "socketError", None)
    if isinstance(cause, PermissionError):
        return (
            "; the server's user may not, and only a server that is started as root "
            "can bind it before it leaves root: restart the server"
        )
    # Of a Unix socket Twisted says in words that somebody listens there.
    is_taken = getattr(cause, "errno", None) == errno.EADDRINUSE or cause == _LOCKED
    if is_taken and changes.listen_removed:
        return (
            f"; if it is {' or '.join(changes.listen_removed)} that is in its way, "
            "take that out first and reload, or restart the server"
        )
    return ""
