"""One coarse timer for the deadlines of all connections.

Runs in: the controller.

A deadline is a number on the connection.  Once a second all of them are looked
at, so setting one costs nothing on the way of a request; it passes never early
and at most two seconds late.
"""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, Protocol

from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall, IReactorTime

TICK = 1.0
NEVER = float("inf")
# After a mistake of ours.
_ASK_AGAIN = 10.0

_log = Logger(namespace="passtwist.http")


class HasDeadline(Protocol):
    """What can be watched.

    :ivar deadline: reactor seconds, or NEVER.
    """

    deadline: float

    def deadline_passed(self) -> None:
        """Called once for each time that the deadline passed."""

    def postpone(self, seconds: float) -> None:
        """For so long the process was stopped: nobody was slow meanwhile."""


class DeadlineWatch:
    """Watches connections; its timer runs only while there are any.

    :ivar now: reactor seconds, at most a tick old while anything is watched.
    :ivar date_line: the Date header, ready to be sent.
    """

    def __init__(self, clock: IReactorTime, on_tick: Callable[[], object]) -> None:
        """
        :param on_tick: called with each tick, and when the timer stops.
        """
        self._clock = clock
        self._on_tick = on_tick
        self._watched: set[HasDeadline] = set()
        self._call: IDelayedCall | None = None
        self.now = 0.0
        self.date_line = b""

    def add(self, connection: HasDeadline) -> None:
        """Watch *connection* from now on."""
        if self._call is None:
            self._read_clock()
            self._call = self._clock.callLater(TICK, self._tick)
        self._watched.add(connection)

    def discard(self, connection: HasDeadline) -> None:
        """Watch it no more."""
        self._watched.discard(connection)
        if not self._watched and self._call is not None:
            self._call.cancel()
            self._call = None
            self._on_tick()

    def after(self, seconds: float) -> float:
        """The deadline *seconds* from now, never early though `now` is old."""
        return self.now + seconds + TICK

    def _read_clock(self) -> None:
        self.now = self._clock.seconds()
        date = formatdate(self.now, usegmt=True)
        self.date_line = f"Date: {date}\r\n".encode("ascii")

    def _tick(self) -> None:
        self._call = self._clock.callLater(TICK, self._tick)
        before = self.now
        self._read_clock()
        now = self.now
        late = now - before - TICK
        if late > TICK:
            # The process was stopped or the machine slept: nobody's fault.
            for connection in self._watched:
                connection.postpone(late)
        for connection in [c for c in self._watched if c.deadline <= now]:
            connection.deadline = NEVER
            try:
                connection.deadline_passed()
            except Exception:  # noqa: BLE001 - logged, and asked again
                # Else it had no deadline any more, and others would have to wait.
                _log.failure("the deadline of {one} was not dealt with", one=connection)
                connection.deadline = now + _ASK_AGAIN
        self._on_tick()
