"""Limits that change while workers work.

Runs in: the controller.

Nothing that was begun suffers: surplus workers finish their sessions, waiters
keep their place, and whoever waited for room gets it at once if there is more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.pool.recycling import set_last_request

if TYPE_CHECKING:
    from passtwist.pool.events import ConfigChanged, PoolConfigChanged
    from passtwist.pool.group import Group
    from passtwist.pool.reduction import Reduction
    from passtwist.pool.staffing import Staffing
    from passtwist.pool.upkeep import Upkeep


class Changes:
    """Puts other limits into force."""

    def __init__(
        self,
        groups: dict[str, Group],
        staffing: Staffing,
        reduction: Reduction,
        upkeep: Upkeep,
    ) -> None:
        self._groups = groups
        self._staffing = staffing
        self._reduction = reduction
        self._upkeep = upkeep

    def app_changed(self, event: ConfigChanged, now: float) -> None:
        """:raises KeyError: there is no such app."""
        group = self._groups[event.app]
        before = group.limits
        group.set_limits(event.limits)
        # Nobody is refused for having come under another limit.
        group.overlong = len(group.queue)
        if group.limits.prestart and not before.prestart:
            group.dormant = self._staffing.closing
        for worker in group.workers.values():
            if worker.takes_sessions:
                set_last_request(worker)
        self._reduction.fit(group, now)
        self._take_stock(group, now)
        self._staffing.replacing.touch(group)
        self._staffing.settle(group, now)
        self._upkeep.arm(group, now)

    def pool_changed(self, event: PoolConfigChanged, now: float) -> None:
        limits = event.limits
        self._staffing.change_limits(limits)
        self._upkeep.limits = limits
        self._reduction.fit_pool(now)
        for group in list(self._groups.values()):
            group.back_off.bound(limits.first_back_off, limits.longest_back_off)
            self._staffing.settle(group, now)
            self._upkeep.arm(group, now)
        self._staffing.retire(now)

    def _take_stock(self, group: Group, now: float) -> None:
        """Whether it has surplus or lacks spares may be otherwise now."""
        group.look_at = None
        group.lacking = 0
        if group.keeps_spares:
            self._staffing.spares.taken(group, now)
        self._staffing.enlist(group, now)
