"""How long an app whose spawns fail, or whose workers crash, waits before the next.

Runs in: the controller.
"""

from __future__ import annotations

# After so many doublings any first wait has met any longest one.
_MOST_DOUBLINGS = 64

# So often in a row a spawn may fail without the app's fault, however slow it is;
# more often for so many seconds: whoever kills processes stops some day.  Then
# there is more to it (an app that makes its spawner crash, say), and a larger
# number says so earlier: it was tried twice by then, each time.
_FEW_ACCIDENTS = 3
_MOST_ACCIDENTS = 6
_MOST_PATIENCE = 10.0

# Of each wait so much is left to chance, so that apps that failed together
# (a database went away) don't try again together.
_CHANCE = 0.25


class BackOff:
    """Failures in a row, and until when they keep the app from spawning.

    :ivar failures: in a row; 0 after a success.
    :ivar held_until: seconds; workers have crashed, and whether a spawn succeeds
        says nothing about that.
    :ivar until: seconds; spawns are held back before it, for one or the other.
    :ivar failed_at: when the last failure that counted came.
    :ivar error: what the last failure reported; kept after the wait is over,
        None after a success.
    """

    __slots__ = (
        "_accident_at",
        "_accidents",
        "_first",
        "_longest",
        "error",
        "failed_at",
        "failures",
        "held_until",
        "until",
    )

    def __init__(self, first: float, longest: float) -> None:
        self.held_until = 0.0
        self.bound(first, longest)
        self.reset()

    def bound(self, first: float, longest: float) -> None:
        """How long to wait, in seconds, from the next failure on."""
        self._first = first
        self._longest = longest

    def reset(self) -> None:
        """A spawn succeeded."""
        self._accident_at = 0.0
        self._accidents = 0
        self.failures = 0
        self.until = self.held_until
        self.failed_at = 0.0
        self.error: object | None = None

    def forgive(self) -> None:
        """Neither failures nor crashes say anything about the next spawn."""
        self.held_until = 0.0
        self.reset()

    def is_active(self, now: float) -> bool:
        return now < self.until

    def hold(self, until: float) -> None:
        """No spawn before *until*: workers crash."""
        self.held_until = until
        self.until = max(self.until, until)

    def is_forgiven(self, error: object, now: float) -> bool:
        """A spawn failed without the app's fault: may the next begin at once?"""
        self.error = error
        if not self._accidents:
            self._accident_at = now
        self._accidents += 1
        if self._accidents <= _FEW_ACCIDENTS:
            return True
        soon = now - self._accident_at < _MOST_PATIENCE
        return soon and self._accidents <= _MOST_ACCIDENTS

    def fail(self, error: object, began: float, jitter: float, now: float) -> None:
        """A spawn that began at *began* failed.

        One that began before the last failure is part of the same attempt:
        it is remembered and makes the wait no longer.
        """
        self.error = error
        if self.failures and began < self.failed_at:
            return
        doublings = min(self.failures, _MOST_DOUBLINGS)
        wait = min(self._longest, self._first * 2**doublings)
        self.failures += 1
        self.failed_at = now
        until = now + wait * (1 - _CHANCE + _CHANCE * jitter)
        self.until = max(until, self.held_until)
