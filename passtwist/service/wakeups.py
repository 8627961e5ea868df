"""One timer for all that the pool wants to be woken for.

Runs in: the controller.

The pool counts on a monotonic clock, the reactor's timers on the wall clock:
a timer that comes early, because somebody set the clock, is set again.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall

    from passtwist.api.reactors import Reactor


class WakeUps:
    """Calls *wake* at, or just after, each time asked for.

    :param now: seconds on the clock that the times are on.
    """

    def __init__(
        self,
        reactor: Reactor,
        now: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._now = now
        self._wake = wake
        self._times: list[float] = []
        self._timer: IDelayedCall | None = None
        self._stopped = False

    def wake_at(self, time: float) -> None:
        """Wake at *time*, in addition to what was asked for before."""
        if self._stopped:
            return
        earliest = not self._times or time < self._times[0]
        heapq.heappush(self._times, time)
        if earliest:
            self._arm()

    def stop(self) -> None:
        """Forget all of it."""
        self._stopped = True
        self._times.clear()
        self._disarm()

    def _arm(self) -> None:
        self._disarm()
        if self._times:
            delay = max(0.0, self._times[0] - self._now())
            self._timer = self._reactor.callLater(delay, self._fire)

    def _disarm(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _fire(self) -> None:
        self._timer = None
        now = self._now()
        due = False
        while self._times and self._times[0] <= now:
            heapq.heappop(self._times)
            due = True
        self._arm()
        if due:
            self._wake()
