"""What becomes of an app as a whole, and what time alone does to it.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.pool import refusals
from passtwist.pool.actions import Announce, ReleaseSpawners
from passtwist.pool.notices import AppStateChanged, CrashesInARow
from passtwist.pool.states import AppEvent, AppState, next_app_state
from passtwist.pool.timers import POOL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from passtwist.pool.actions import Action, RejectCheckout
    from passtwist.pool.group import Group
    from passtwist.pool.limits import PoolLimits
    from passtwist.pool.timers import Alarms
    from passtwist.pool.worker import Worker


class Upkeep:
    """Keeps the states and the alarms of apps.

    :ivar limits: of the pool, as they are now.
    """

    def __init__(
        self, limits: PoolLimits, alarms: Alarms, outbox: list[Action]
    ) -> None:
        self.limits = limits
        self._alarms = alarms
        self._outbox = outbox

    def happened(self, group: Group, event: AppEvent) -> None:
        """:raises IllegalTransition: *event* cannot happen now."""
        old = group.state
        group.state = next_app_state(group.name, old, event)
        if group.state is not old:
            self._outbox.append(Announce(AppStateChanged(group.name, old, group.state)))

    def worker_ready(self, group: Group) -> None:
        """One more worker of the app takes sessions."""
        renewal = group.renewal
        if group.back_off.failures:
            event = AppEvent.WORKER_READY_DEGRADED
        elif renewal.restart is not None:
            event = AppEvent.WORKER_READY_RESTARTING
        elif renewal.error is not None:
            event = AppEvent.WORKER_READY_DEGRADED
        else:
            event = AppEvent.WORKER_READY
        self.happened(group, event)

    def refuse(self, rejections: Iterable[RejectCheckout]) -> None:
        self._outbox.extend(rejections)

    def last_live_left(self, group: Group, now: float) -> None:
        """No worker of the app takes sessions any more."""
        if group.back_off.is_active(now):
            self._nobody_comes(group, now)
        elif group.starting:
            self.happened(group, AppEvent.LAST_WORKER_LEFT_STARTING)
        else:
            self.happened(group, AppEvent.LAST_WORKER_LEFT)

    def worker_died(self, worker: Worker, innocent: bool, now: float) -> None:
        """A worker that should have stayed is gone, or is about to be killed.

        Its app may begin to back off.
        """
        group = worker.group
        if group.worker_died(worker, innocent, now):
            wait = group.back_off.until - now
            notice = CrashesInARow(group.name, worker.id, wait)
            self._outbox.append(Announce(notice))
        backs_off = group.state is AppState.BACKING_OFF
        if group.back_off.is_active(now) and not (group.live or backs_off):
            # Its connections broke before, and now that is known for a crash.
            self._nobody_comes(group, now)

    def _nobody_comes(self, group: Group, now: float) -> None:
        """Nobody serves, and the app backs off: nobody need wait."""
        self.happened(group, AppEvent.LAST_WORKER_LEFT_BACKING_OFF)
        self.refuse(
            refusals.backing_off(ticket, group, now) for ticket in group.queue.pop_all()
        )

    def fall_due(self, group: Group, now: float) -> None:
        """The app's alarm rang: do what has become due.

        Whoever calls this settles the group and arms its alarm afterwards.
        """
        patience = group.limits.max_queue_time
        if patience:
            overdue = group.queue.pop_overdue(patience, now)
            self.refuse(refusals.overdue(ticket, group) for ticket in overdue)
        backs_off = group.state is AppState.BACKING_OFF
        if backs_off and not group.back_off.is_active(now):
            still = group.starting > 0
            event = AppEvent.SPAWN_BEGAN if still else AppEvent.BACK_OFF_ENDED
            self.happened(group, event)
        since = group.unused_since
        keep = self.limits.spawner_idle_time
        if since is not None and keep and since + keep <= now:
            self.release_spawners(group)

    def release_spawners(self, group: Group) -> None:
        group.unused_since = None
        self._outbox.append(ReleaseSpawners(group.name))

    def arm(self, group: Group, now: float) -> None:
        """Set the app's alarm to the next time at which something is due."""
        time = group.next_time(self.limits, now)
        if time is not None and not group.is_removed:
            # Limits that became smaller may have made something overdue.
            self._alarms.arm(group.name, max(now, time))

    def arm_pool(self, time: float) -> None:
        self._alarms.arm(POOL, time)
