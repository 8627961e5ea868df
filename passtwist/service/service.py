"""The whole server as one Twisted service.

Runs in: the controller.

Order of start (twistd's): objects are built, twistd daemonizes,
`privilegedStartService` binds the listeners, privileges are dropped,
`startService` starts everything else.  Order of stop: no new connections,
what runs is finished, workers leave, the spawn server ends.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.logger import Logger
from zope.interface import implementer

from passtwist.api.interfaces import IPasstwistService
from passtwist.errors import StartupError
from passtwist.pool import AppAdded, ShutdownRequested, StopRequested
from passtwist.service.signals import Signals

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from twisted.internet.interfaces import IDelayedCall

    from passtwist.service.parts import Parts


@implementer(IPasstwistService)
class PasstwistService(Service):
    """Starts and stops the parts that the assembly has put together.

    :param parts: everything that the server consists of.
    :param shutdown_timeout: seconds that requests have to finish.
    :param warnings: about the settings; logged at start.
    :param check_standing: asked at start, when root has been left: answers with
        more warnings, raises StartupError.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(
        self,
        parts: Parts,
        shutdown_timeout: float,
        warnings: Sequence[str] = (),
        check_standing: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self.parts = parts
        self._check_standing = check_standing
        self._successor: tuple[int, int] | None = None
        self._warnings = tuple(warnings)
        self._shutdown_timeout = shutdown_timeout
        self._stopping: Deferred[None] | None = None
        self._hurry: list[Callable[[], None]] = []
        self._is_hurried = False

    def status(self) -> dict[str, Any]:
        """See `IPasstwistService.status`."""
        return self.parts.status.page()

    def privilegedStartService(self) -> None:
        """Bind the listeners, and open what only root may."""
        self._or_exit(self._bind)

    def startService(self) -> None:
        """Start everything else."""
        if not self.parts.listeners.ports:
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

    def stop_now(self) -> None:
        """Do not wait for requests any more, nor for what comes after them."""
        self._is_hurried = True
        hurry, self._hurry = self._hurry, []
        for call in hurry:
            call()

    def hand_over_to(self, uid: int, gid: int) -> None:
        """Whom root will be left for once the listeners are bound."""
        self._successor = (uid, gid)

    def handle_signals(self, reactor: Any) -> None:
        """Answer TERM, INT, HUP, USR1 and USR2 once *reactor* runs.

        :param reactor: the one that is run; Any, because it is asked for
            more than our services need.
        """
        signals = Signals(
            reactor.callFromThread,
            reactor.stop,
            self.stop_now,
            self.parts.access_log.reopen,
            self._dump,
        )
        reactor.callWhenRunning(signals.install)

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
        self.parts.access_log.open()
        if self._successor is not None:
            self.parts.runtime.hand_over(*self._successor)
        self.parts.listeners.bind()

    def _start(self) -> None:
        parts = self.parts
        for warning in (*self._warnings, *self._check_standing()):
            self.log.warn("settings: {warning}", warning=warning)
        parts.runtime.acquire()
        parts.spawn_server.start()
        parts.admin.start(parts.runtime.admin_path)
        parts.memory.start()
        for app in parts.apps.values():
            parts.gateway.tell(AppAdded(app.name, app.limits))
        self.log.info(
            "passtwist serves {apps} on {addresses}",
            apps=", ".join(parts.apps),
            addresses=", ".join(parts.listeners.addresses()),
        )

    # --- stop -----------------------------------------------------------------

    @inlineCallbacks
    def _stop(self) -> Generator[Deferred[Any], Any, None]:
        parts = self.parts
        try:
            yield parts.listeners.close()
            # Requests are finished first, then workers leave: a queued one
            # may still need a worker.
            yield self._within(
                self._shutdown_timeout,
                parts.front_end.drain(),
                parts.front_end.abort_connections,
            )
            parts.gateway.tell(ShutdownRequested())
            yield self._within(
                self._shutdown_timeout,
                parts.driver.when_all_gone(),
                lambda: parts.gateway.tell(StopRequested()),
            )
            yield parts.memory.stop()
        finally:
            parts.admin.stop()
            parts.driver.stop()
            yield parts.spawn_server.stop()
            parts.access_log.close()
            parts.runtime.release()
        self.log.info("passtwist has stopped")

    def _within(
        self, seconds: float, done: Deferred[None], hurry: Callable[[], None]
    ) -> Deferred[None]:
        """*done*, which *hurry* makes happen when time is up."""
        patience = 0.0 if self._is_hurried else seconds
        timer: IDelayedCall = self.parts.reactor.callLater(patience, hurry)

        def now() -> None:
            if timer.active():
                timer.reset(0)

        self._hurry.append(now)

        def finished(result: None) -> None:
            if now in self._hurry:
                self._hurry.remove(now)
            if timer.active():
                timer.cancel()

        return done.addCallback(finished)

    def _dump(self) -> None:
        self.log.info("state: {state}", state=json.dumps(self.status(), indent=1))
