"""Whether the server wants requests, and its way to the end.

Runs in: the controller.

A server that is drained answers all that comes, but each answer ends its
connection and the readiness page says 503: who balances load goes elsewhere.
Stopping begins with that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.logger import Logger

from passtwist.pool import ShutdownRequested, StopRequested

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from twisted.internet.interfaces import IDelayedCall

    from passtwist.api.front_end import IFrontEnd
    from passtwist.api.settings import ServerSettings
    from passtwist.service.parts import Parts

# From SIGTERM to SIGKILL for workers whose time is up; less when
# shutdown_timeout is less.  They need it for hooks and atexit only.
LEAVE_WITHIN = 10.0  # seconds


class Draining:
    """Sends clients away, for a time or for good.

    :ivar since: when it began (seconds on the reactor's clock), None when
        requests are wanted.
    :ivar is_final: the server stops.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(self, front_end: IFrontEnd, now: Callable[[], float]) -> None:
        self.since: float | None = None
        self.is_final = False
        self._front_end = front_end
        self._now = now

    def drain(self) -> bool:
        """Want no requests; answers whether that is news."""
        if self.since is not None:
            return False
        self.since = self._now()
        self._front_end.keep_connections(False)
        self.log.info("draining: clients are sent away, requests are still served")
        return True

    def undrain(self) -> bool:
        """Want requests again, unless the server stops; answers as `drain`."""
        if self.since is None or self.is_final:
            return False
        self.since = None
        self._front_end.keep_connections(True)
        self.log.info("not draining any more")
        return True

    def end(self) -> float:
        """The server stops; answers for how long (seconds) it has been drained."""
        self.drain()
        self.is_final = True
        assert self.since is not None
        return self._now() - self.since


class Stop:
    """Ends the server step by step; each step can be hurried.

    :ivar cut: requests that were not finished.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(
        self,
        parts: Parts,
        draining: Draining,
        settings: Callable[[], ServerSettings],
    ) -> None:
        self.cut = 0
        self._parts = parts
        self._draining = draining
        self._settings = settings
        self._timers: list[IDelayedCall] = []
        self._is_hurried = False

    def hurry(self) -> None:
        """Wait for nothing any more, whatever is lost by it."""
        self._is_hurried = True
        for timer in self._timers:
            if timer.active():
                timer.reset(0)

    @inlineCallbacks
    def run(self) -> Generator[Deferred[Any], Any, None]:
        """Send clients away, finish what runs, end the workers."""
        parts, settings = self._parts, self._settings()
        drained_for = self._draining.end()
        yield self._delay(settings.drain_delay - drained_for)
        closed = parts.listeners.close()
        begun = parts.reactor.seconds()
        yield closed
        # Requests are finished first, then workers leave: a queued one may
        # still need a worker.
        drained = parts.front_end.drain()
        self._at(settings.shutdown_timeout, self._cut_connections)
        yield drained
        self._forget_timers()
        parts.gateway.tell(ShutdownRequested())
        gone = parts.driver.when_all_gone()
        left = begun + settings.shutdown_timeout - parts.reactor.seconds()
        grace = min(LEAVE_WITHIN, settings.shutdown_timeout)
        self._at(max(left, 0.0), self._ask_to_leave)
        self._at(max(left, 0.0) + grace, self._kill_workers)
        yield gone
        self._forget_timers()

    def _delay(self, seconds: float) -> Deferred[None]:
        """Fires when clients have had the time to learn that we stop."""
        over: Deferred[None] = Deferred()
        if seconds > 0:
            self.log.info("still accepting for {seconds:.1f} s", seconds=seconds)
        self._at(max(seconds, 0.0), over.callback, None)
        return over

    def _cut_connections(self) -> None:
        self.cut += self._parts.front_end.abort_connections()
        if self.cut:
            self.log.error("time is up: {count} request(s) are cut off", count=self.cut)

    def _ask_to_leave(self) -> None:
        for running in self._parts.driver.workers.values():
            if running.worker is not None:
                running.asked_to_leave = True
                running.worker.terminate()

    def _kill_workers(self) -> None:
        links = [one.link for one in self._parts.driver.workers.values()]
        busy = sum(len(link.running) for link in links if link is not None)
        # Those of clients that have been cut off are counted already.
        if busy and not self.cut:
            self.cut = busy
            self.log.error(
                "time is up: {count} request(s), whose clients have left, are cut "
                "off with their workers",
                count=busy,
            )
        self._parts.gateway.tell(StopRequested())

    def _at(self, seconds: float, call: Callable[..., None], *args: object) -> None:
        patience = 0.0 if self._is_hurried else seconds
        self._timers.append(self._parts.reactor.callLater(patience, call, *args))

    def _forget_timers(self) -> None:
        timers, self._timers = self._timers, []
        for timer in timers:
            if timer.active():
                timer.cancel()
