"""The requests of one app that wait for a worker.

Runs in: the controller.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable


class WaitingQueue(OrderedDict[Hashable, float]):
    """Tickets, first come first served, each with when it came (seconds).

    An ordered dictionary so that a client who leaves is taken out of the
    middle at once, however long the queue is.  All waiters of an app may wait
    equally long, so the order of arrival is the order of deadlines too.
    """

    def join(self, ticket: Hashable, now: float) -> None:
        """:raises ValueError: the ticket waits already."""
        if ticket in self:
            raise ValueError(f"ticket {ticket!r} waits already")
        self[ticket] = now

    def pop_first(self) -> Hashable:
        """:raises KeyError: nobody waits."""
        return self.popitem(last=False)[0]

    def first_deadline(self, patience: float) -> float | None:
        """When the longest waiting has waited *patience* seconds."""
        for came in self.values():
            return came + patience
        return None

    def pop_overdue(self, patience: float, now: float) -> list[Hashable]:
        """Those who have waited *patience* seconds, longest first."""
        overdue: list[Hashable] = []
        while (deadline := self.first_deadline(patience)) is not None:
            if deadline > now:
                break
            overdue.append(self.pop_first())
        return overdue

    def pop_all(self) -> list[Hashable]:
        """Everybody, longest waiting first."""
        everybody = list(self)
        self.clear()
        return everybody
