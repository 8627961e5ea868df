"""Idle workers that an app keeps beyond its need.

Runs in: the controller.

A worker that was idle for a turn, or that nobody has used yet, is *spare*.
When one is taken the pool looks again after a pause: whoever is idle between two
requests is none, and whoever came back to rest meanwhile is one again.  Only
then are others started, one after the other, while nobody waits.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from passtwist.pool.group import Group
    from passtwist.pool.limits import PoolLimits
    from passtwist.pool.upkeep import Upkeep


def spares_of(group: Group, limits: PoolLimits, now: float) -> int:
    """How many workers of *group* are spare."""
    rested = now - limits.fair_turn
    return sum(
        worker.idle_since <= rested or not worker.requests
        for worker in group.idle.values()
    )


def retirement_of(group: Group, limits: PoolLimits) -> float | None:
    """When its longest idle worker may leave, or None.

    Not while that would leave fewer than its spares: then the others that are
    idle are so between two requests.
    """
    wanted = group.limits.spare_workers
    if not limits.pool_idle_time or not group.has_surplus or len(group.idle) <= wanted:
        return None
    first, *_, last = islice(group.idle.values(), wanted + 1)
    return max(
        first.idle_since + limits.pool_idle_time, last.idle_since + limits.fair_turn
    )


class SpareKeeping:
    """Says when to look for spares, and finds out how many are missing.

    :ivar limits: of the pool, as they are now.
    """

    def __init__(self, limits: PoolLimits, upkeep: Upkeep) -> None:
        self.limits = limits
        self._upkeep = upkeep

    def taken(self, group: Group, now: float) -> None:
        """A worker is not idle any more: look after the pause."""
        if group.look_at is None and not group.dormant:
            self.put_off(group, now)

    def put_off(self, group: Group, now: float) -> None:
        """A worker is started for somebody who waits: all else comes later."""
        group.lacking = 0
        group.look_at = now + self.limits.spare_pause
        self._upkeep.arm(group, now)

    def look(self, group: Group, now: float) -> None:
        """The alarm rang.  Whoever calls this settles the group afterwards."""
        if group.look_at is None or now < group.look_at:
            return
        group.look_at = None
        group.lacking = 0
        most = group.limits.max_instances
        if group.dormant or 0 < most <= group.total:
            return
        there = spares_of(group, self.limits, now) + group.starting
        if there < group.limits.spare_workers:
            group.lacking = group.limits.spare_workers - there
            # There may be no room, or the spawn may fail.
            group.look_at = now + self.limits.spare_pause
