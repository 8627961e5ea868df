"""How much of what an app prints gets into the server's log.

Runs in: the controller.

A line costs the reactor some 60 µs.  An app that prints without end would have it
do nothing else, so what is too much is read, counted and thrown away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable

# An app may print so many lines at once, the traceback of a long chain of errors, or
# all that it says while it loads ...
BURST = 2000
# ... and so many a second for as long as it likes.
PER_SECOND = 500
REPORT_EVERY = 1.0  # seconds


class OutputRate:
    """What all processes of one app may print.

    :param now: seconds.
    :ivar dropped: lines that were not logged.
    """

    log = Logger(namespace="passtwist.app")

    def __init__(self, app: str, now: Callable[[], float]) -> None:
        self.dropped = 0
        self._app = app
        self._now = now
        self._left = float(BURST)
        self._refilled = now()
        self._reported = 0
        self._report_at = 0.0

    def take(self, lines: int) -> int:
        """How many of *lines* may be logged; the others are counted."""
        now = self._now()
        left = self._left + (now - self._refilled) * PER_SECOND
        self._refilled = now
        allowed = min(lines, int(min(left, BURST)))
        self._left = min(left, BURST) - allowed
        if allowed < lines:
            self.dropped += lines - allowed
        return allowed

    def complain(self) -> None:
        """As `report`, unless that was said a moment ago."""
        if self._now() >= self._report_at:
            self.report()

    def report(self) -> None:
        """Say how many lines were not logged since it was last said."""
        count = self.dropped - self._reported
        if not count:
            return
        self._reported = self.dropped
        self._report_at = self._now() + REPORT_EVERY
        self.log.warn(
            "app {app} prints more than {limit} lines a second: {count} were not "
            "logged; with its own log_file all are kept",
            app=self._app,
            limit=PER_SECOND,
            count=count,
        )


class OutputRates:
    """Those of all apps, by name."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._rates: dict[str, OutputRate] = {}

    def of(self, app: str) -> OutputRate:
        """That of *app*, from now on."""
        rate = self._rates.get(app)
        if rate is None:
            rate = self._rates[app] = OutputRate(app, self._now)
        return rate

    def dropped(self) -> dict[str, int]:
        """Lines that were not logged, by app; only of those that have any."""
        return {app: rate.dropped for app, rate in self._rates.items() if rate.dropped}
