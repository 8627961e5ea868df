"""Which worker of an app gets the next session.

Runs in: the controller.

Newest generation first, then least busy, then oldest.  The order matters:
oldest before least busy piles the sessions of a multi-threaded app on one
worker (Passenger 6.0.24 did that, issue 2579); oldest last lets surplus
workers go idle, so that they can be retired.

A heap with lazy deletion: a worker's entry is pushed whenever it has room
after a change, and an entry that does not say the truth any more is dropped
when it comes to the top.  Both are O(log n), and no entry is ever searched.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from passtwist.pool.states import WorkerState

if TYPE_CHECKING:
    from passtwist.pool.worker import Worker

_IDLE = WorkerState.IDLE
_BUSY = WorkerState.BUSY

# So small a heap is not worth tidying.
_TIDY_FROM = 16


class Router:
    """The workers of one app that have room, best first."""

    __slots__ = ("_heap", "_tidy_at")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int, Worker]] = []
        self._tidy_at = _TIDY_FROM

    def take(self) -> Worker | None:
        """The worker for the next session, or None when all are full.

        It is not on offer any more: call `offer` once its session is counted.
        """
        heap = self._heap
        while heap:
            _, sessions, _, worker = heappop(heap)
            if worker.sessions == sessions:
                state = worker.state
                if state is _IDLE or state is _BUSY:
                    return worker
        return None

    def offer(self, worker: Worker) -> None:
        """Say how busy *worker* is, after any change; a full one is no offer."""
        sessions = worker.sessions
        if sessions < worker.concurrency:
            heap = self._heap
            heappush(heap, (-worker.generation, sessions, worker.id, worker))
            if len(heap) > self._tidy_at:
                self._tidy()

    def offered(self) -> set[int]:
        """Numbers of the workers that `take` would give, for the invariants."""
        return {
            worker.id
            for _, sessions, _, worker in self._heap
            if worker.sessions == sessions and worker.takes_sessions
        }

    def _tidy(self) -> None:
        """Drop what is stale or double, once that may be half of the heap."""
        true = {
            entry[2]: entry
            for entry in self._heap
            if entry[3].sessions == entry[1] and entry[3].takes_sessions
        }
        self._heap = list(true.values())
        heapify(self._heap)
        self._tidy_at = max(_TIDY_FROM, 2 * len(self._heap))
