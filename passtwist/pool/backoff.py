"""How long an app whose spawn failed waits before the next.

Runs in: the controller.
"""

from __future__ import annotations

# After so many doublings any first wait has met any longest one.
_MOST_DOUBLINGS = 64

# So often in a row a spawn may fail without the app's fault, and for so many
# seconds as often as it likes: whoever kills processes stops some day.  Then
# there is more to it (an app that makes its spawner crash, say).
_MOST_ACCIDENTS = 3
_MOST_PATIENCE = 10.0

# Of each wait so much is left to chance, so that apps that failed together
# (a database went away) don't try again together.
_CHANCE = 0.25


class BackOff:
    """Failures in a row, and until when they keep the app from spawning.

    :ivar failures: in a row; 0 after a success.
    :ivar until: seconds; spawns are held back before it.
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
        "until",
    )

    def __init__(self, first: float, longest: float) -> None:
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
        self.until = 0.0
        self.failed_at = 0.0
        self.error: object | None = None

    def is_active(self, now: float) -> bool:
        return self.failures > 0 and now < self.until

    def is_forgiven(self, error: object, now: float) -> bool:
        """A spawn failed without the app's fault: may the next begin at once?"""
        self.error = error
        if not self._accidents:
            self._accident_at = now
        self._accidents += 1
        few = self._accidents <= _MOST_ACCIDENTS
        return few or now - self._accident_at < _MOST_PATIENCE

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
        self.until = now + wait * (1 - _CHANCE + _CHANCE * jitter)
