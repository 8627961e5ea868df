"""Which app gets how many workers, and who has to leave for whom.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.pool.actions import Announce, KillWorker, StopWorker
from passtwist.pool.hiring import Hiring
from passtwist.pool.idleness import LongestIdle
from passtwist.pool.notices import WorkerEvicted, WorkerRetired
from passtwist.pool.patience import Patience
from passtwist.pool.replacing import Replacing
from passtwist.pool.room import Capacity, Need, RoomLine
from passtwist.pool.spares import SpareKeeping, retirement_of
from passtwist.pool.states import AppEvent, AppState, WorkerEvent, WorkerState

if TYPE_CHECKING:
    from passtwist.pool.actions import Action
    from passtwist.pool.group import Group
    from passtwist.pool.limits import PoolLimits
    from passtwist.pool.upkeep import Upkeep
    from passtwist.pool.worker import Worker


CLOSING = "the server is shutting down"


def _has_idle(group: Group) -> bool:
    return bool(group.idle)


def _has_surplus(group: Group) -> bool:
    return group.has_surplus and not group.keeps_spares


def _keeps_surplus(group: Group) -> bool:
    return group.has_surplus and group.keeps_spares


class Staffing:
    """Starts workers, lets them go, and keeps count of both.

    :ivar limits: of the pool, as they are now.
    :ivar workers: all workers of all apps that are not gone, by number.
    :ivar closing: the server shuts down: who is idle leaves.
    """

    def __init__(
        self, limits: PoolLimits, upkeep: Upkeep, outbox: list[Action]
    ) -> None:
        self.capacity = Capacity(limits)
        self.hiring = Hiring(self.capacity, outbox)
        self.workers = self.hiring.workers
        self.patience = Patience(self, upkeep, outbox)
        self.line = RoomLine()
        self.idle = LongestIdle(_has_idle)
        # Whose surplus retires by the pool's alarm, and whose by its app's.
        self.surplus = LongestIdle(_has_surplus)
        self.keepers = LongestIdle(_keeps_surplus)
        self.spares = SpareKeeping(limits, upkeep)
        self.limits = limits
        self._upkeep = upkeep
        self._outbox = outbox
        self.closing = False
        self.replacing = Replacing(self, outbox)

    # --- more workers ----------------------------------------------------------

    def settle(self, group: Group, now: float) -> None:
        """Start what *group* lacks, or let it stand in line for it.

        And what others lack, for something may have made room for them.
        """
        self.line.place(group, group.need(now), now)
        renewal = group.renewal
        if renewal.due or renewal.restart is not None:
            self.replacing.touch(group)
        self.share(now)

    def reconsider(self, group: Group, now: float) -> None:
        """As `settle`, after a change of the queue, which makes no room."""
        need = group.need(now)
        if need is not group.waits_as:
            self.line.place(group, need, now)
            if need is not None:
                self.share(now)

    def share(self, now: float) -> None:
        """Give away what room there is, in the order of waiting.

        Then see to those that shall be replaced: what happened to others may
        matter there.
        """
        self._give_room(now)
        if self.replacing.touched or self.replacing.waiting:
            self.replacing.settle(now)

    def _give_room(self, now: float) -> None:
        """If the first in line can't have room then nobody behind it can.

        Each line may take less from others than the one before it.
        """
        while (group := self.line.first()) is not None:
            need = group.need(now)
            if need is group.waits_as:
                if not self._make_room(group, now):
                    return
                self._start(group, now)
                # Off the line and on again: at its end, others wait as well.
                self.line.place(group, None, now)
            self.line.place(group, group.need(now), now)

    def _make_room(self, group: Group, now: float) -> bool:
        """Whether *group* may start a worker now; another may have to leave."""
        if not self.capacity.may_spawn:
            return False
        if not self.capacity.is_full:
            return True
        if group.waits_as is Need.HOMELESS:
            victim = self.idle.first()
        elif group.waits_as is Need.GROWING:
            victim = self._spare(now)
        else:
            victim = None
        if victim is not None:
            self.evict(victim, group, now)
        return victim is not None

    def _spare(self, now: float) -> Worker | None:
        """The longest idle worker above its app's minimum, if it may be taken.

        Only after a turn without a session: between two requests of its own
        app every worker is idle for a moment, and two busy apps would take
        each other's workers for ever, a spawn each time.
        """
        worker = self.longest_idle_surplus()
        if worker is None:
            return None
        time = worker.idle_since + self.limits.fair_turn
        if time <= now:
            return worker
        self._upkeep.arm_pool(time)
        return None

    def longest_idle_surplus(self) -> Worker | None:
        """The longest idle worker of all above their app's minimum, or None."""
        one, other = self.surplus.first(), self.keepers.first()
        if one is None or other is None:
            return one or other
        return one if one.idle_since <= other.idle_since else other

    def _start(self, group: Group, now: float) -> None:
        self.hiring.start(group, now)
        self._upkeep.happened(group, AppEvent.SPAWN_BEGAN)
        if group.keeps_spares:
            self._started_beside_spares(group, now)

    def _started_beside_spares(self, group: Group, now: float) -> None:
        if group.waits_as is not Need.SPARE:
            self.spares.put_off(group, now)
            return
        group.lacking -= 1
        if group.idle and group.has_surplus and group not in self.keepers.listed:
            # It was below its minimum before, with nobody waiting.
            self.keepers.enlist(group)
        self._upkeep.arm(group, now)

    # --- idle workers ----------------------------------------------------------

    def became_idle(self, worker: Worker, now: float) -> None:
        """It has nothing to do: keep it, or let it leave for who needs its place.

        Part of every request: no more than looks when nothing changes.
        """
        group = worker.group
        worker.idle_since = now
        group.idle[worker.id] = worker
        if group not in self.idle.listed:
            self.idle.enlist(group)
        surplus = group.live + group.starting > group.floor
        if group.keeps_spares:
            if surplus and group not in self.keepers.listed:
                self.keepers.enlist(group)
            if surplus and len(group.idle) > group.limits.spare_workers:
                self._upkeep.arm(group, now)
        elif surplus and group not in self.surplus.listed:
            self.surplus.enlist(group)
            self._arm_retirement(now)
        if self.closing:
            self.dismiss(worker, CLOSING, now)
            self.share(now)
        elif self.line.is_pressing:
            self.share(now)

    def enlist(self, group: Group, now: float) -> None:
        """As for one that became idle, for those that are idle already."""
        if not group.idle:
            return
        surplus = self.keepers if group.keeps_spares else self.surplus
        for listing in (self.idle, surplus):
            if group not in listing.listed:
                listing.enlist(group)
        self._arm_retirement(now)

    def retire(self, now: float) -> None:
        """Dismiss who is above the minimum and was idle for too long."""
        patience = self.limits.pool_idle_time
        while patience and (worker := self.surplus.first()) is not None:
            if worker.idle_since + patience > now:
                break
            self._retire(worker, now)
        self._arm_retirement(now)

    def retire_of(self, group: Group, now: float) -> None:
        """As `retire`, for an app that keeps spares."""
        while (time := retirement_of(group, self.limits)) is not None and time <= now:
            worker = group.longest_idle()
            assert worker is not None  # else nobody could retire
            self._retire(worker, now)

    def _retire(self, worker: Worker, now: float) -> None:
        idle = now - worker.idle_since
        notice = WorkerRetired(worker.group.name, worker.id, idle)
        self._outbox.append(Announce(notice))
        self.dismiss(worker, f"it was idle for {idle:.0f} s", now)

    def _arm_retirement(self, now: float) -> None:
        patience = self.limits.pool_idle_time
        worker = self.surplus.first() if patience else None
        if worker is not None:
            self._upkeep.arm_pool(max(now, worker.idle_since + patience))

    # --- fewer workers ---------------------------------------------------------

    def is_turn_over(self, worker: Worker, now: float) -> bool:
        """Whether *worker* should give way to an app that has none at all.

        Workers that are never idle would keep it out for ever.  Asked at the
        end of a session, when the worker has something else to do.
        """
        if not self.capacity.is_full or not self.capacity.may_spawn:
            return False
        turn = self.limits.fair_turn
        if now - worker.ready_at < turn:
            return False
        group = worker.group
        if group.total == 1 and group.back_off.is_active(now):
            # Nobody could come in its place, so its waiters would be refused.
            return False
        # An app keeps its only worker for another turn: one that has more may
        # end a session meanwhile.
        _, since = self.line.first_homeless()
        return group.total > 1 or now - since >= turn

    def evict(self, worker: Worker, other: Group, now: float) -> None:
        """Let *worker* leave so that *other* can start one."""
        group = worker.group
        idle = now - worker.idle_since if worker.sessions == 0 else 0.0
        notice = WorkerEvicted(group.name, worker.id, other.name, idle)
        self._outbox.append(Announce(notice))
        self.dismiss(worker, f"{other.name} needs its place", now)
        self.may_rest(group, now)

    def may_rest(self, group: Group, now: float) -> None:
        """*group* had to give up a worker: it may have to do with fewer."""
        if group.total < group.floor and not group.queue:
            # Else two apps would take each other's place for ever.
            group.dormant = True
            self.line.place(group, group.need(now), now)

    def change_limits(self, limits: PoolLimits) -> None:
        """Others are in force; whoever calls this sees to what follows."""
        self.limits = self.capacity.limits = self.spares.limits = limits

    def dismiss(self, worker: Worker, reason: str, now: float) -> None:
        """No more sessions for *worker*; it leaves when it has none.

        Whoever calls this settles the group, or shares, afterwards.
        """
        was = worker.state
        self.move(worker, WorkerEvent.DISMISSED, now)
        if was is WorkerState.STARTING:
            self._outbox.append(KillWorker(worker.id, reason))
        elif was is WorkerState.IDLE or was is WorkerState.DISABLED:
            self._outbox.append(StopWorker(worker.id, reason))
        elif was is WorkerState.BUSY or was is WorkerState.DISABLING:
            self.patience.began(worker, now)

    def cut_off(self, worker: Worker, reason: str, now: float) -> None:
        """Kill *worker*, whatever it does; its sessions count no more."""
        self.move(worker, WorkerEvent.CUT_OFF, now)
        worker.sessions = 0
        self._outbox.append(KillWorker(worker.id, reason))

    def gone(self, worker: Worker, event: WorkerEvent, now: float) -> None:
        """The worker's process is no more, or never came to be."""
        self.move(worker, event, now)
        worker.sessions = 0
        group = worker.group
        del self.workers[worker.id]
        del group.workers[worker.id]
        if not group.workers:
            group.unused_since = now
            self._upkeep.arm(group, now)

    def move(self, worker: Worker, event: WorkerEvent, now: float) -> None:
        """Change the state, and all counts that follow from it."""
        was_starting = worker.state is WorkerState.STARTING
        was_live = worker.takes_sessions
        worker.advance(event)
        group = worker.group
        if was_starting:
            self._left_starting(worker, now)
        elif was_live and not worker.takes_sessions:
            worker.notable_at = 0
            group.idle.pop(worker.id, None)
            group.live -= 1
            self.capacity.used -= 1
            self._left_counted(worker, now)
            if not group.live:
                self._upkeep.last_live_left(group, now)
        elif worker.takes_sessions and not was_live:
            group.live += 1
            self.capacity.used += 1
            self.replacing.is_back(worker)

    def _left_starting(self, worker: Worker, now: float) -> None:
        group = worker.group
        if worker.is_extra:
            self.hiring.end_extra(worker)
            self.replacing.touch(group)
            if worker.takes_sessions:
                group.live += 1
                self.capacity.used += 1
            return
        group.starting -= 1
        self.capacity.starting -= 1
        if worker.takes_sessions:
            group.live += 1
            return
        self.capacity.used -= 1
        self._left_counted(worker, now)
        cancelled = worker.state is WorkerState.STOPPING
        if cancelled and not group.total and group.state is AppState.STARTING:
            self._upkeep.happened(group, AppEvent.SPAWN_CANCELLED)

    def _left_counted(self, worker: Worker, now: float) -> None:
        group = worker.group
        if group.keeps_spares:
            self.spares.taken(group, now)
        renewal = group.renewal
        if renewal.due or renewal.restart is not None:
            renewal.due.pop(worker.id, None)
            self.replacing.touch(group)
