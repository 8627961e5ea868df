"""The pool: who serves the next request.

Runs in: the controller.

Pure: no I/O, no clock, no pid, no chance.  What happened comes in through
`handle` and the three methods for requests; what is to be done goes out as
actions.  See docs/explanation/pool-algorithm.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.pool import refusals
from passtwist.pool.actions import StopWorker
from passtwist.pool.changes import Changes
from passtwist.pool.closing import Closing
from passtwist.pool.events import (
    AppAdded,
    AppRemoved,
    ConfigChanged,
    DetachRequested,
    DisableRequested,
    EnableRequested,
    MemorySampled,
    PoolConfigChanged,
    RequestOverran,
    RestartRequested,
    ShutdownRequested,
    SpawnFailed,
    StopRequested,
    TimePassed,
    WorkerExited,
    WorkerLost,
    WorkerReady,
)
from passtwist.pool.group import Group
from passtwist.pool.personnel import Personnel
from passtwist.pool.recycling import Recycling
from passtwist.pool.reduction import Reduction
from passtwist.pool.restarts import Restarts
from passtwist.pool.room import Need
from passtwist.pool.staffing import Staffing
from passtwist.pool.states import WorkerEvent, WorkerState, next_worker_state
from passtwist.pool.timers import Alarms
from passtwist.pool.upkeep import Upkeep
from passtwist.pool.views import view_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from passtwist.model import WorkerId
    from passtwist.pool.actions import Action
    from passtwist.pool.events import Event
    from passtwist.pool.limits import PoolLimits
    from passtwist.pool.views import PoolView
    from passtwist.pool.worker import Worker

# Looking a member up in its Enum takes longer than the rest of the question.
_DISABLING = WorkerState.DISABLING
_DRAINING = WorkerState.DRAINING
_STOPPING = WorkerState.STOPPING
_LAST_SESSION_ENDED = WorkerEvent.LAST_SESSION_ENDED
_GROWING = Need.GROWING


class Pool:
    """All workers of all apps, and who may use them.

    All times are seconds on one clock that never goes back.

    :ivar outbox: actions that have not been taken yet; look at it after
        `checkout`, `end_session` and `cancel`, and take them if there are any.
        Always the same list.
    """

    def __init__(self, limits: PoolLimits) -> None:
        self.outbox: list[Action] = []
        self._alarms = Alarms(self.outbox)
        self._upkeep = Upkeep(limits, self._alarms, self.outbox)
        self._staffing = Staffing(limits, self._upkeep, self.outbox)
        self._workers = self._staffing.workers
        self._line = self._staffing.line
        self._groups: dict[str, Group] = {}
        self._recycling = Recycling(self._staffing, self._upkeep, self.outbox)
        self._restarts = Restarts(
            self._groups, self._staffing, self._upkeep, self.outbox
        )
        self._closing = Closing(
            self._groups, self._staffing, self._restarts, self._upkeep, self.outbox
        )
        self._on = self._handlers()

    def _handlers(self) -> dict[type, Callable[..., None]]:
        staffing, upkeep, outbox = self._staffing, self._upkeep, self.outbox
        reduction = Reduction(staffing, outbox)
        personnel = Personnel(staffing, self._restarts, reduction, upkeep, outbox)
        changes = Changes(self._groups, staffing, reduction, upkeep)
        return {
            AppAdded: self._app_added,
            AppRemoved: self._app_removed,
            ConfigChanged: changes.app_changed,
            PoolConfigChanged: changes.pool_changed,
            WorkerReady: personnel.ready,
            SpawnFailed: personnel.spawn_failed,
            WorkerExited: personnel.exited,
            WorkerLost: personnel.lost,
            DetachRequested: personnel.detach_requested,
            DisableRequested: personnel.disable_requested,
            EnableRequested: personnel.enable_requested,
            RestartRequested: self._restarts.requested,
            MemorySampled: self._recycling.memory_sampled,
            RequestOverran: self._recycling.request_overran,
            TimePassed: self._time_passed,
            ShutdownRequested: self._closing.shutdown_requested,
            StopRequested: self._closing.stop_requested,
        }

    @property
    def limits(self) -> PoolLimits:
        """As they are now."""
        return self._staffing.limits

    # --- requests --------------------------------------------------------------

    def checkout(
        self,
        app: str,
        ticket: Hashable,
        now: float,
        preferred: WorkerId | None = None,
    ) -> WorkerId | None:
        """A worker for one session, or None.

        *preferred* gets it if it may have sessions and is not full; else it
        is routed as any other.

        None: *ticket* waits and will be granted a session (`GrantSession`, or
        by `end_session`), or be rejected; or it is rejected at once, then
        the `RejectCheckout` is in the outbox.

        :raises KeyError: there is no such app.
        :raises ValueError: that ticket waits already.
        """
        group = self._groups[app]
        if group.dormant and not self._wake(group, ticket, now):
            return None
        if preferred is None:
            worker = group.router.take()
        else:
            worker = group.with_room(preferred) or group.router.take()
        if worker is None:
            self._wait(group, ticket, now)
            return None
        group.begin_session(worker)
        if group.keeps_spares:
            self._staffing.spares.taken(group, now)
        return worker.id

    def end_session(
        self, worker: WorkerId, now: float, begun: Hashable | None = None
    ) -> Hashable | None:
        """A session of *worker* has ended, well or not.

        :param begun: the waiter whom that worker serves already, of those that
            `followers_for` made known; it is served whoever waits longer, and
            whatever is to become of the worker.
        :returns: the ticket of the waiter whom that worker serves next, its
            session counted already; None when nobody waits.  None also when
            the worker was killed or is gone: its sessions count no more.
        :raises IllegalTransition: the worker has no session.
        """
        ended = self._workers.get(worker)
        if ended is None or ended.state is _STOPPING:
            return None
        group = ended.group
        if not ended.sessions:
            next_worker_state(ended.id, ended.state, _LAST_SESSION_ENDED)
        requests = ended.requests = ended.requests + 1
        queue = group.queue
        if begun is None or queue.pop(begun, None) is None:
            if requests >= ended.notable_at and self._ends_for_good(ended, now):
                return None
            # Going idle is way enough; this is about workers that have more to do.
            has_more = self._line.homeless and (queue or ended.sessions > 1)
            if has_more and self._staffing.is_turn_over(ended, now):
                self._give_way(ended, now)
                return None
            if not queue:
                ended.sessions -= 1
                group.router.offer(ended)
                if not ended.sessions:
                    ended.advance(_LAST_SESSION_ENDED)
                    self._staffing.became_idle(ended, now)
                return None
            begun = queue.pop_first()
        # One ends and one begins: it stays as busy as it was.  While others wait
        # whom nothing under way will serve, the app still grows.
        if group.waits_as is not None and (group.starting or not queue):
            self._staffing.reconsider(group, now)
        return begun

    def queue_of(self, worker: WorkerId) -> Iterable[Hashable]:
        """Those who wait for *worker* or its like, in the order of their turns."""
        asked = self._workers.get(worker)
        return () if asked is None else asked.group.queue

    def followers_for(self, worker: WorkerId) -> Iterable[Hashable]:
        """`queue_of`, if *worker* serves one of them behind its present session.

        Nobody when it may have to leave then, or to make way for another app.
        """
        asked = self._workers.get(worker)
        if asked is None or self._line.homeless:
            return ()
        return asked.group.queue if asked.requests + 1 < asked.notable_at else ()

    def cancel(self, app: str, ticket: Hashable, now: float) -> None:
        """The client of a waiting ticket is gone.

        Harmless when the ticket does not wait any more.
        """
        group = self._groups.get(app)
        if group is None or group.queue.pop(ticket, None) is None:
            return
        if group.waits_as is not None:
            self._staffing.reconsider(group, now)
        self._closing.announce_end()

    # --- events, actions, views ------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take note of *event*, and say what is to be done.

        :returns: all actions not taken yet, oldest first.
        :raises IllegalTransition: that cannot have happened.
        :raises ValueError: an app of that name is there already.
        :raises KeyError: there is no such app.
        """
        self._on[type(event)](event, now)
        self._closing.announce_end()
        return self.take_actions()

    def take_actions(self) -> list[Action]:
        """All actions not taken yet, oldest first."""
        actions = self.outbox[:]
        self.outbox.clear()
        return actions

    def next_wake(self) -> float | None:
        """The earliest time (seconds) at which `TimePassed` would do something.

        For a service that prefers asking to keeping track of `WakeAt`.
        """
        return self._alarms.next_time()

    def waiting(self) -> list[Hashable]:
        """All tickets that wait, those of one app in the order of their turns."""
        return [ticket for group in self._groups.values() for ticket in group.queue]

    def view(self) -> PoolView:
        """How things stand, for status."""
        capacity = self._staffing.capacity
        return view_of(self.limits, capacity, self._groups.values(), self._workers)

    # --- sessions --------------------------------------------------------------

    def _wake(self, group: Group, ticket: Hashable, now: float) -> bool:
        """A request for a dormant app: whether it may be served."""
        if self._staffing.closing:
            self.outbox.append(refusals.shutting_down(ticket, group))
            return False
        group.dormant = False
        if group.keeps_spares:
            self._staffing.spares.taken(group, now)
        self._staffing.settle(group, now)
        return True

    def _wait(self, group: Group, ticket: Hashable, now: float) -> None:
        """All workers are full, or there are none: queue, or refuse at once."""
        if not group.live and group.back_off.is_active(now):
            self.outbox.append(refusals.backing_off(ticket, group, now))
            return
        if group.is_queue_full:
            self.outbox.append(refusals.queue_full(ticket, group))
            return
        group.queue.join(ticket, now)
        # One more who waits is no news to an app that is in line for that.
        if group.waits_as is not _GROWING:
            self._staffing.reconsider(group, now)
        patience = group.limits.max_queue_time
        if patience and len(group.queue) == 1:
            # For those who come later the alarm is set already.
            self._alarms.arm(group.name, now + patience)

    def _ends_for_good(self, worker: Worker, now: float) -> bool:
        """A session of a worker ended: whether it was to be the last there."""
        if worker.state is _DRAINING:
            self._end_draining(worker)
            return True
        if worker.state is _DISABLING:
            worker.sessions -= 1
            if not worker.sessions:
                worker.idle_since = now
                worker.advance(_LAST_SESSION_ENDED)
            return True
        self._recycling.served_enough(worker, now)
        return False

    def _end_draining(self, worker: Worker) -> None:
        worker.sessions -= 1
        if not worker.sessions:
            worker.advance(_LAST_SESSION_ENDED)
            self.outbox.append(StopWorker(worker.id, "its last session has ended"))

    def _give_way(self, worker: Worker, now: float) -> None:
        """A worker that has more to do leaves for an app that has no worker."""
        other, _ = self._line.first_homeless()
        self._staffing.evict(worker, other, now)
        self._end_draining(worker)
        self._staffing.settle(worker.group, now)

    # --- apps ------------------------------------------------------------------

    def _app_added(self, event: AppAdded, now: float) -> None:
        if event.app in self._groups:
            raise ValueError(f"there is an app {event.app} already")
        group = Group(event.app, event.limits, self.limits)
        group.dormant |= self._staffing.closing
        self._groups[event.app] = group
        if group.keeps_spares:
            self._staffing.spares.taken(group, now)
        self._staffing.settle(group, now)

    def _app_removed(self, event: AppRemoved, now: float) -> None:
        group = self._groups.pop(event.app)
        reason = f"{event.app} was removed"
        self._alarms.disarm(event.app)
        group.is_removed = True
        group.dormant = True
        self._upkeep.refuse(
            refusals.app_removed(ticket, group) for ticket in group.queue.pop_all()
        )
        self._restarts.cancel(group, reason, now)
        for worker in list(group.workers.values()):
            self._staffing.dismiss(worker, reason, now)
        self._upkeep.release_spawners(group)
        self._staffing.settle(group, now)

    # --- time ------------------------------------------------------------------

    def _time_passed(self, event: TimePassed, now: float) -> None:
        for app in self._alarms.pop_due(now):
            if app is None:
                self._staffing.patience.enforce(now)
                self._staffing.retire(now)
                self._staffing.share(now)
            else:
                group = self._groups[app]
                self._upkeep.fall_due(group, now)
                self._restarts.begin_if_due(group, now)
                if group.keeps_spares:
                    self._staffing.spares.look(group, now)
                    self._staffing.retire_of(group, now)
                self._staffing.settle(group, now)
                self._upkeep.arm(group, now)
