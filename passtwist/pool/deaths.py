"""Workers that die young, and how slowly others come in their place.

Runs in: the controller.

Without it an app that crashes right after it is ready, or at each request, would
keep a processor busy, and its neighbours would notice.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from passtwist.pool.worker import Worker

# Waits after deaths in a row: none after the first, then like this.
_FIRST_WAIT = 0.1
_LONGEST_WAIT = 30.0

# Somebody's SIGKILL says nothing about the app.  The kernel, short of memory,
# sends it as well, and again and again, but a pool must be full again soon
# after somebody stopped killing.
_FREE_KILLS = 3
_LONGEST_WAIT_AFTER_KILLS = 0.4

# That holds back the minimum.  Requests start a worker at once, but an app whose
# requests kill their workers would have as many spawns as it has requests.  So
# many crashes are free, and then one in so many seconds; with more the app is
# held back, for that long and then for longer.
FREE_CRASHES = 3
SECONDS_PER_CRASH = 0.5
LONGEST_HOLD = 8.0

# Workers that die together are seen to die within this.
_AT_ONCE = 0.02

# Who has lived for so long without an answer was simply not asked.
_YOUNG = 30.0

# How a worker died whose connections broke is known by then.
VERDICT_WITHIN = 0.1


class EarlyDeaths:
    """Deaths of workers that had not answered anything.

    :ivar held_until: seconds; they were too many for a spawn before it.
    :ivar is_told: somebody has been told that they are too many.
    """

    __slots__ = (
        "_crash_at",
        "_crashes",
        "_hold",
        "_kills",
        "_last",
        "held_until",
        "is_told",
    )

    def __init__(self) -> None:
        self.forgive()

    def forgive(self) -> None:
        """There is a remedy, perhaps."""
        self._forget()
        self._crash_at = self.held_until = -inf
        self._hold = SECONDS_PER_CRASH
        self.is_told = False

    def _forget(self) -> None:
        """The row has ended; what its crashes have cost is to be paid for still."""
        self._crashes = 0
        self._kills = 0
        self._last = 0.0

    def wait_after(self, worker: Worker, innocent: bool, now: float) -> float | None:
        """Seconds before the minimum is restored after *worker* died.

        None: as before.  One that began before the last death that counted
        belongs to the same accident: ten that die at once are one.
        """
        if not is_young(worker, now):
            self._forget()
            return 0.0
        if not innocent:
            self._ration(now)
        if worker.spawned_at < self._last:
            return None
        self._last = now
        if innocent:
            self._kills += 1
            return _wait(self._kills - _FREE_KILLS, _LONGEST_WAIT_AFTER_KILLS)
        self._crashes += 1
        return _wait(self._crashes - 1, _LONGEST_WAIT)

    def _ration(self, now: float) -> None:
        """Hold the app back for one more crash, unless it is a free one.

        Each moves the end of the hold on; as long as they are few it stays behind
        the present.
        """
        if now < self.held_until or now - self._crash_at < _AT_ONCE:
            return
        self._crash_at = now
        earliest = now - FREE_CRASHES * SECONDS_PER_CRASH
        if self.held_until <= earliest:
            self.held_until = earliest
            self._hold = SECONDS_PER_CRASH
            self.is_told = False
        self.held_until += SECONDS_PER_CRASH
        if now < self.held_until:
            self.held_until = now + self._hold
            self._hold = min(2 * self._hold, LONGEST_HOLD)


def is_young(worker: Worker, now: float) -> bool:
    """Whether it has not answered anything and was not there for long."""
    return not worker.requests and now - worker.ready_at < _YOUNG


def _wait(number: int, longest: float) -> float:
    if number < 1:
        return 0.0
    # 2**9 times the first wait is beyond the longest.
    return min(longest, _FIRST_WAIT * 2.0 ** min(number - 1, 9))
