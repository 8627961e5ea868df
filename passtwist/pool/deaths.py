"""Workers that die young, and how slowly others come in their place.

Runs in: the controller.

Without it an app that crashes right after it is ready would keep a processor
busy.  It holds back the minimum only; a request starts a worker at once.
"""

from __future__ import annotations

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

# Who has lived for so long without an answer was simply not asked.
_YOUNG = 30.0

# How a worker died whose connections broke is known by then.
VERDICT_WITHIN = 0.1


class EarlyDeaths:
    """Deaths in a row of workers that had not answered anything."""

    __slots__ = ("_crashes", "_kills", "_last")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._crashes = 0
        self._kills = 0
        self._last = 0.0

    def wait_after(self, worker: Worker, innocent: bool, now: float) -> float | None:
        """Seconds before the minimum is restored after *worker* died.

        None: as before.  One that began before the last death that counted
        belongs to the same accident: ten that die at once are one.
        """
        if not is_young(worker, now):
            self.forget()
            return 0.0
        if worker.spawned_at < self._last:
            return None
        self._last = now
        if innocent:
            self._kills += 1
            return _wait(self._kills - _FREE_KILLS, _LONGEST_WAIT_AFTER_KILLS)
        self._crashes += 1
        return _wait(self._crashes - 1, _LONGEST_WAIT)


def is_young(worker: Worker, now: float) -> bool:
    """Whether it has not answered anything and was not there for long."""
    return not worker.requests and now - worker.ready_at < _YOUNG


def _wait(number: int, longest: float) -> float:
    if number < 1:
        return 0.0
    # 2**9 times the first wait is beyond the longest.
    return min(longest, _FIRST_WAIT * 2.0 ** min(number - 1, 9))
