"""Which worker of all apps has been idle for the longest.

Runs in: the controller.

A worker goes idle and back with every request, so nothing but a look at a set
may happen then.  Each app keeps its own idle workers in order; here is a heap
of apps, by the time since which their longest idle worker was idle when we
last looked.  That time only grows, so an entry is never too late, and one
that comes to the top too early is put right then.
"""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from passtwist.pool.group import Group
    from passtwist.pool.worker import Worker


class LongestIdle:
    """The apps that have idle workers and pass *admits*.

    :ivar listed: the apps that have an entry.  Who has idle workers, passes
        and is not in it must be given to `enlist`.
    """

    def __init__(self, admits: Callable[[Group], bool]) -> None:
        self.listed: set[Group] = set()
        self._admits = admits
        self._heap: list[tuple[float, int, Group]] = []
        # Ties go by the order of enlisting; groups themselves have no order.
        self._enlisted = 0

    def enlist(self, group: Group) -> None:
        worker = group.longest_idle()
        if worker is not None and self._admits(group):
            self.listed.add(group)
            self._enlisted += 1
            heappush(self._heap, (worker.idle_since, self._enlisted, group))

    def first(self) -> Worker | None:
        """The worker that has been idle for the longest, or None."""
        heap = self._heap
        while heap:
            since, tie, group = heap[0]
            worker = group.longest_idle()
            if worker is None or not self._admits(group):
                heappop(heap)
                self.listed.remove(group)
            elif worker.idle_since > since:
                heapreplace(heap, (worker.idle_since, tie, group))
            else:
                return worker
        return None
