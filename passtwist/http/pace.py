"""Whether somebody is fast enough: a bucket of time that bytes fill up again.

Runs in: the controller.  Pure.

A pause between two reads is no protection: a byte every 59 seconds passes any limit of
60.  A rate over the whole time is none either: whoever sends a lot at first may be slow
for hours then.  So bytes buy time, at the least rate that is allowed, and no more of it
can be saved than one pause may last.
"""

from __future__ import annotations

from passtwist.http.deadlines import NEVER


class Pace:
    """When somebody is too slow, unless more comes.

    :ivar due: seconds, on the clock that `now` is of.
    """

    __slots__ = ("_patience", "_pause_due", "_rate", "_rate_due", "_saved", "due")

    def __init__(self, rate: float, grace: float, patience: float, now: float) -> None:
        """
        :param rate: bytes a second; 0 for any.
        :param grace: seconds from the beginning in which nobody is too slow for that.
        :param patience: seconds that a pause may last.
        """
        self._rate = rate
        self._patience = patience
        self._saved = max(grace, patience)
        self._rate_due = now + grace if rate else NEVER
        self._pause_due = now + patience
        self.due = min(self._rate_due, self._pause_due)

    def progressed(self, count: int, now: float) -> None:
        """So many bytes came since the last call."""
        if not count:
            return
        self._pause_due = now + self._patience
        if self._rate:
            earned = self._rate_due + count / self._rate
            self._rate_due = min(earned, now + self._saved)
        self.due = min(self._rate_due, self._pause_due)

    def postpone(self, seconds: float) -> None:
        """For so long nobody could see bytes coming."""
        self._pause_due += seconds
        self._rate_due += seconds
        self.due += seconds
