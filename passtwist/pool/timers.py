"""When the pool wants to be told that time has passed.

Runs in: the controller.

One alarm for each app and one for the pool itself.  An alarm is only ever
moved to an earlier time: one that rings early finds nothing due and is set
again, which is cheaper than keeping it exact on every request.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from passtwist.pool.actions import WakeAt

if TYPE_CHECKING:
    from passtwist.pool.actions import Action

# The pool's own alarm.
POOL = None

# So many stale entries are not worth tidying.
_TIDY_FROM = 16


class Alarms:
    """The alarms that are set; tells the service through *outbox*."""

    def __init__(self, outbox: list[Action]) -> None:
        self._outbox = outbox
        self._heap: list[tuple[float, str, str | None]] = []
        self._set: dict[str | None, float] = {}

    def arm(self, key: str | None, time: float) -> None:
        """Ring for *key* at *time*, in seconds, or earlier."""
        already = self._set.get(key)
        if already is None or time < already:
            self._set[key] = time
            heappush(self._heap, (time, key or "", key))
            self._outbox.append(WakeAt(key, time))
            if len(self._heap) > _TIDY_FROM + 2 * len(self._set):
                self._heap = [(time, key or "", key) for key, time in self._set.items()]
                heapify(self._heap)

    def disarm(self, key: str | None) -> None:
        self._set.pop(key, None)

    def pop_due(self, now: float) -> list[str | None]:
        """The alarms that ring now; they are not set any more."""
        due: list[str | None] = []
        while self._heap and self._heap[0][0] <= now:
            time, _, key = heappop(self._heap)
            if self._set.get(key) == time:
                del self._set[key]
                due.append(key)
        return due

    def next_time(self) -> float | None:
        """When the next one rings, or None."""
        heap = self._heap
        while heap and self._set.get(heap[0][2]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def is_set_by(self, key: str | None, time: float) -> bool:
        """Whether *key* rings at *time* at the latest, for the invariants."""
        return self._set.get(key, time + 1) <= time
