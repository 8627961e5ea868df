"""How much room there is for workers, and which apps wait for it.

Runs in: the controller.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from passtwist.pool.group import Group
    from passtwist.pool.limits import PoolLimits


class Need(Enum):
    """Why an app wants one more worker, most pressing first.

    `HOMELESS`: it has waiters and no worker, not even one that starts.
    `GROWING`: it has workers, and waiters whom nothing under way will serve.
    `BELOW_MINIMUM`: nobody waits, but it has fewer than it should keep.
    `SPARE`: it has too few idle workers beyond those that it needs.
    """

    HOMELESS = "homeless"
    GROWING = "growing"
    BELOW_MINIMUM = "below minimum"
    SPARE = "short of spares"

    __hash__ = object.__hash__


class Capacity:
    """Counts over all apps.

    :ivar used: workers that start, are idle or are busy.
    :ivar starting: those of them that start.
    :ivar replacing: workers that start to take another's place, not in *used*.
    """

    __slots__ = ("limits", "replacing", "starting", "used")

    def __init__(self, limits: PoolLimits) -> None:
        self.limits = limits
        self.used = 0
        self.starting = 0
        self.replacing = 0

    @property
    def is_full(self) -> bool:
        return self.used >= self.limits.max_pool_size

    @property
    def may_spawn(self) -> bool:
        """Whether one more spawn may be under way, room or not."""
        return self.starting < self.limits.spawn_concurrency

    @property
    def may_replace(self) -> bool:
        """Whether one more worker may start to take another's place.

        A limit of its own, so that restarts hold up nobody who needs a worker.
        """
        return self.replacing < self.limits.spawn_concurrency


class RoomLine:
    """Apps that want one more worker and can't have it yet.

    One line for each `Need`, first come first served; a line is looked at
    only when those before it are empty.  Nobody starves: an app in one of
    the later lines has workers that serve its waiters, or has no waiters.

    :ivar homeless: the first line, each app with when it joined (seconds).
    """

    def __init__(self) -> None:
        self.homeless: OrderedDict[Group, float] = OrderedDict()
        self._growing: OrderedDict[Group, float] = OrderedDict()
        self._below_minimum: OrderedDict[Group, float] = OrderedDict()
        self._spare: OrderedDict[Group, float] = OrderedDict()
        self._lines = {
            Need.HOMELESS: self.homeless,
            Need.GROWING: self._growing,
            Need.BELOW_MINIMUM: self._below_minimum,
            Need.SPARE: self._spare,
        }

    @property
    def is_pressing(self) -> bool:
        """Whether a worker that has nothing to do should give way."""
        return bool(self.homeless or self._growing)

    def place(self, group: Group, need: Need | None, now: float) -> None:
        """Put *group* where it belongs; it keeps its place where it stays."""
        if group.waits_as is need:
            return
        if group.waits_as is not None:
            del self._lines[group.waits_as][group]
        group.waits_as = need
        if need is not None:
            self._lines[need][group] = now

    def first(self) -> Group | None:
        """Whose turn it is, or None when nobody waits."""
        for line in self._lines.values():
            for group in line:
                return group
        return None

    def first_homeless(self) -> tuple[Group, float]:
        """The homeless app that waits longest, and since when.

        :raises StopIteration: there is none.
        """
        return next(iter(self.homeless.items()))

    def standing(self) -> dict[Need, list[Group]]:
        """All lines, for views and invariants."""
        return {need: list(line) for need, line in self._lines.items()}
