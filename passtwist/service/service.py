"""The whole server as one Twisted service.

Runs in: the controller.

Order of start (twistd's): objects are built, twistd daemonizes,
`privilegedStartService` binds the listeners, privileges are dropped,
`startService` starts everything else.  Order of stop: no new connections,
what runs is finished, workers leave, the spawn server ends.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.logger import Logger
from zope.interface import implementer

from passtwist.api.descriptor_limit import raise_limit
from passtwist.api.interfaces import IPasstwistService
from passtwist.errors import StartupError
from passtwist.pool import AppAdded
from passtwist.service import heap
from passtwist.service.draining import Stop
from passtwist.service.signals import Signals

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from passtwist.service.draining import Draining
    from passtwist.service.parts import Parts
    from passtwist.service.reload import Reload

# The exit status of a server that had to cut off requests when it stopped.
CUT_OFF = 3


@implementer(IPasstwistService)
class PasstwistService(Service):
    """Starts and stops the parts that the assembly has put together.

    :param parts: everything that the server consists of.
    :ivar exit_status: what the process should end with, once it has stopped.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(self, parts: Parts, reload: Reload, draining: Draining) -> None:
        self.parts = parts
        self.exit_status = 0
        self._reload = reload
        self._stop_steps = Stop(parts, draining, lambda: reload.server)
        self._successor: tuple[int, int] | None = None
        self._stopping: Deferred[None] | None = None
        self._signals: Signals | None = None

    def status(self) -> dict[str, Any]:
        """See `IPasstwistService.status`."""
        return self.parts.status.page()

    def privilegedStartService(self) -> None:
        """Bind the listeners, and open what only root may."""
        if self._signals is not None:
            self._signals.await_reactor()
        self._or_exit(self._bind)

    def startService(self) -> None:
        """Start everything else."""
        if not self.parts.listeners.are_bound:
            self.privilegedStartService()
        super().startService()  # type: ignore[no-untyped-call]  # Twisted has no types
        self._or_exit(self._start)

    def stopService(self) -> Deferred[None]:
        """Finish what runs, then end everything; fires when nothing is left."""
        super().stopService()  # type: ignore[no-untyped-call]  # Twisted has no types
        if self._stopping is None:
            self._stopping = self._stop()
            self._stopping.addErrback(
                lambda failure: self.log.failure("stopping passtwist", failure)
            )
        waiter: Deferred[None] = Deferred()

        def stopped(result: object) -> object:
            waiter.callback(None)
            return result

        self._stopping.addBoth(stopped)
        return waiter

    def setServiceParent(self, parent: Any) -> None:
        """As `IService.setServiceParent`; of twistd it gets its log, too."""
        self.parts.logs.attach(parent)
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]  # Twisted has no types

    def stop_now(self) -> None:
        """Do not wait for requests any more, nor for what comes after them."""
        self._stop_steps.hurry()

    def hand_over_to(self, uid: int, gid: int) -> None:
        """Whom root will be left for once the listeners are bound."""
        self._successor = (uid, gid)

    def handle_signals(self, reactor: Any) -> None:
        """Answer TERM, INT, HUP, USR1 and USR2 once *reactor* runs.

        Also those that come before: the first three from now on, USR1 and USR2
        from `privilegedStartService` on.  And end the process with our exit
        status, which twistd has no way to be told of.

        :param reactor: the one that is run; Any, because it is asked for
            more than our services need.
        """
        self._signals = Signals(
            reactor.callFromThread,
            reactor.stop,
            self.stop_now,
            self._reload.hung_up,
            self.parts.logs.reopen,
            self._dump,
        )
        self._signals.await_start()
        reactor.callWhenRunning(self._signals.install)
        reactor.callWhenRunning(heap.settle)
        # As early as this, so that it is the last to be called.
        atexit.register(self._exit)
        self.parts.logs.relay_streams(reactor)

    # --- start ----------------------------------------------------------------

    def _or_exit(self, start: Callable[[], None]) -> None:
        """One clear line instead of twistd's traceback when it can't start."""
        try:
            start()
        except StartupError as error:
            self.log.critical("passtwist can't start: {error}", error=error)
            self.parts.runtime.release()
            raise SystemExit(f"passtwist can't start: {error}") from error

    def _bind(self) -> None:
        raise_limit()
        self.parts.access_log.open()
        if self._successor is not None:
            self.parts.runtime.hand_over(*self._successor)
        self.parts.listeners.bind()

    def _start(self) -> None:
        parts = self.parts
        settings = self._reload.settings
        for warning in (*settings.warnings(), *settings.check_standing()):
            self.log.warn("settings: {warning}", warning=warning)
        parts.runtime.acquire()
        parts.spawn_server.start()
        parts.admin.start(parts.runtime.admin_path)
        for watch in (parts.memory, *parts.watches):
            watch.start()
        for app in parts.apps.values():
            parts.gateway.tell(AppAdded(app.name, app.limits))
        parts.triggers.update()
        self.log.info(
            "passtwist serves {apps} on {addresses}",
            apps=", ".join(parts.apps),
            addresses=", ".join(parts.listeners.addresses()),
        )
        parts.notifications.ready()

    # --- stop -----------------------------------------------------------------

    @inlineCallbacks
    def _stop(self) -> Generator[Deferred[Any], Any, None]:
        parts, steps = self.parts, self._stop_steps
        parts.notifications.stopping()
        try:
            yield steps.run()
            for watch in (parts.memory, *parts.watches):
                yield watch.stop()
        finally:
            parts.notifications.stop()
            parts.triggers.stop()
            parts.admin.stop()
            parts.driver.stop()
            yield parts.spawn_server.stop()
            parts.access_log.close()
            parts.runtime.release()
            if steps.cut:
                self.exit_status = CUT_OFF
        self.log.info("passtwist has stopped")

    def _exit(self) -> None:
        if self.exit_status:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):  # nobody reads it
                    stream.flush()
            os._exit(self.exit_status)

    def _dump(self) -> None:
        self.log.info("state: {state}", state=json.dumps(self.status(), indent=1))
