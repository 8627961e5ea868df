"""The clock of the simulation, and what is going to happen on it."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Agenda:
    """What is going to happen, in the order of time.

    Two things at the same time happen in the order in which they were
    planned, so a run depends on nothing but its seed.

    :ivar now: virtual seconds.
    """

    __slots__ = ("_heap", "_planned", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._planned = 0
        # Any: each entry knows its own arguments, as with functools.partial.
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []

    def at(self, time: float, call: Callable[..., None], *arguments: Any) -> None:
        """Call it at *time*, or now if that has passed."""
        self._planned += 1
        heappush(self._heap, (max(time, self.now), self._planned, call, arguments))

    def after(self, seconds: float, call: Callable[..., None], *arguments: Any) -> None:
        """Call it in so many seconds."""
        self.at(self.now + seconds, call, *arguments)

    def step(self) -> bool:
        """Let the next thing happen; False when there is none."""
        if not self._heap:
            return False
        self.now, _, call, arguments = heappop(self._heap)
        call(*arguments)
        return True
