"""What becomes of workers: ready, failed, gone, lost, detached, disabled.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.errors import IllegalTransition
from passtwist.pool import refusals
from passtwist.pool.actions import Announce, GrantSession, StopWorker
from passtwist.pool.deaths import VERDICT_WITHIN, is_young
from passtwist.pool.events import SpawnFailed
from passtwist.pool.notices import (
    SpawnHasFailed,
    WorkerBecameReady,
    WorkerDied,
    WorkerUnreachable,
)
from passtwist.pool.recycling import set_last_request
from passtwist.pool.states import AppEvent, AppState, WorkerEvent, WorkerState

if TYPE_CHECKING:
    from passtwist.model import WorkerId
    from passtwist.pool.actions import Action
    from passtwist.pool.events import (
        DetachRequested,
        DisableRequested,
        EnableRequested,
        WorkerExited,
        WorkerLost,
        WorkerReady,
    )
    from passtwist.pool.group import Group
    from passtwist.pool.reduction import Reduction
    from passtwist.pool.restarts import Restarts
    from passtwist.pool.staffing import Staffing
    from passtwist.pool.upkeep import Upkeep
    from passtwist.pool.worker import Worker

# Who has exited and yet says that it is ready brings no chance along.
_NO_CHANCE = 0.0


class Personnel:
    """Takes note of what the outside world reports of workers."""

    def __init__(
        self,
        staffing: Staffing,
        restarts: Restarts,
        reduction: Reduction,
        upkeep: Upkeep,
        outbox: list[Action],
    ) -> None:
        self._staffing = staffing
        self._restarts = restarts
        self._reduction = reduction
        self._upkeep = upkeep
        self._outbox = outbox

    def _worker(self, number: WorkerId, event: WorkerEvent) -> Worker | None:
        """The worker that a report is about; None: it is gone already.

        :raises IllegalTransition: there never was such a worker.
        """
        worker = self._staffing.workers.get(number)
        if worker is None and not 0 < number <= self._staffing.hiring.last_number:
            raise IllegalTransition(f"worker {number}", "never started", event)
        return worker

    def ready(self, event: WorkerReady, now: float) -> None:
        if event.concurrency < 1:
            raise ValueError("a worker carries at least one session")
        worker = self._worker(event.worker, WorkerEvent.BECAME_READY)
        if worker is None:
            return
        if worker.has_exited:
            self.spawn_failed(SpawnFailed(worker.id, None, _NO_CHANCE), now)
            return
        group = worker.group
        was_extra = worker.is_extra
        self._staffing.move(worker, WorkerEvent.BECAME_READY, now)
        if worker.state is WorkerState.STOPPING:
            reason = "it was ready when it was not wanted any more"
            self._outbox.append(StopWorker(worker.id, reason))
            return
        worker.concurrency = event.concurrency
        worker.ready_at = now
        worker.jitter = event.jitter
        set_last_request(worker)
        group.back_off.reset()
        seconds = now - worker.spawned_at
        notice = WorkerBecameReady(group.name, worker.id, seconds)
        self._outbox.append(Announce(notice))
        self._restarts.became_ready(worker, now)
        if was_extra:
            self._staffing.replacing.relieve(worker, now)
        if group.renewal.restart is not None:
            self._restarts.conclude(group, now)
        self._upkeep.worker_ready(group)
        self._put_to_work(group, worker, now)
        self._staffing.settle(group, now)

    def _put_to_work(self, group: Group, worker: Worker, now: float) -> None:
        """Give a worker that has room to those who wait for one."""
        if worker.state is WorkerState.IDLE:
            group.idle[worker.id] = worker
        group.router.offer(worker)
        while group.queue and (chosen := group.router.take()) is not None:
            group.begin_session(chosen)
            self._outbox.append(GrantSession(group.queue.pop_first(), chosen.id))
        if worker.state is WorkerState.IDLE:
            self._staffing.became_idle(worker, now)
        if group.keeps_spares:
            self._staffing.spares.taken(group, now)

    def spawn_failed(self, event: SpawnFailed, now: float) -> None:
        worker = self._worker(event.worker, WorkerEvent.SPAWN_FAILED)
        if worker is None:
            return
        group = worker.group
        unwanted = worker.state is WorkerState.STOPPING
        self._staffing.gone(worker, WorkerEvent.SPAWN_FAILED, now)
        if not unwanted:
            if event.innocent and group.back_off.is_forgiven(event.error, now):
                self._forgive(group, worker, event)
            elif not self._restarts.spawn_failed(worker, event.error, now):
                self._blame(group, worker, event, now)
        self._staffing.settle(group, now)

    def _blame(
        self, group: Group, worker: Worker, event: SpawnFailed, now: float
    ) -> None:
        back_off = group.back_off
        back_off.fail(event.error, worker.spawned_at, event.jitter, now)
        notice = SpawnHasFailed(
            group.name, worker.id, event.error, group.live, back_off.until
        )
        self._outbox.append(Announce(notice))
        self._upkeep.happened(group, AppEvent.SPAWN_FAILED)
        if not group.live:
            self._upkeep.refuse(
                refusals.spawn_failed(ticket, group) for ticket in group.queue.pop_all()
            )
        self._upkeep.arm(group, now)

    def _forgive(self, group: Group, worker: Worker, event: SpawnFailed) -> None:
        """No back-off, and who waits goes on waiting, for the next spawn."""
        notice = SpawnHasFailed(group.name, worker.id, event.error, group.live, 0.0)
        self._outbox.append(Announce(notice))
        if not group.total and group.state is AppState.STARTING:
            self._upkeep.happened(group, AppEvent.SPAWN_CANCELLED)

    def exited(self, event: WorkerExited, now: float) -> None:
        worker = self._worker(event.worker, WorkerEvent.EXITED)
        if worker is None:
            return
        if worker.state is WorkerState.STARTING:
            worker.advance(WorkerEvent.EXITED)
            worker.has_exited = True
            return
        group = worker.group
        if worker.state is not WorkerState.STOPPING:
            notice = WorkerDied(group.name, worker.id, worker.sessions)
            self._outbox.append(Announce(notice))
        if worker.takes_sessions or worker.is_lost:
            self._upkeep.worker_died(worker, event.innocent, now)
        self._staffing.gone(worker, WorkerEvent.EXITED, now)
        self._staffing.settle(group, now)
        self._upkeep.arm(group, now)

    def lost(self, event: WorkerLost, now: float) -> None:
        worker = self._worker(event.worker, WorkerEvent.CUT_OFF)
        if worker is None or worker.state is WorkerState.STOPPING:
            # It leaves, and its connections go with it.
            return
        group = worker.group
        notice = WorkerUnreachable(group.name, worker.id, worker.sessions)
        self._outbox.append(Announce(notice))
        if worker.takes_sessions and is_young(worker, now):
            # Most likely it has died, and how will be known in a moment.
            worker.is_lost = True
            group.restore_at = max(group.restore_at, now + VERDICT_WITHIN)
        self._staffing.cut_off(worker, "its connections broke", now)
        self._staffing.settle(group, now)
        self._upkeep.arm(group, now)

    def detach_requested(self, event: DetachRequested, now: float) -> None:
        worker = self._staffing.workers.get(event.worker)
        if worker is None:
            # It left while somebody was typing its number.
            return
        self._staffing.dismiss(worker, "it was detached", now)
        self._staffing.settle(worker.group, now)

    def disable_requested(self, event: DisableRequested, now: float) -> None:
        worker = self._staffing.workers.get(event.worker)
        if worker is not None and worker.takes_sessions:
            self._staffing.move(worker, WorkerEvent.TURNED_OFF, now)
            self._staffing.settle(worker.group, now)

    def enable_requested(self, event: EnableRequested, now: float) -> None:
        worker = self._staffing.workers.get(event.worker)
        if worker is None or not worker.is_disabled:
            return
        group = worker.group
        self._staffing.move(worker, WorkerEvent.TURNED_ON, now)
        set_last_request(worker)
        self._upkeep.worker_ready(group)
        self._put_to_work(group, worker, now)
        # One that goes on with its sessions makes surplus of those that are idle.
        self._staffing.enlist(group, now)
        self._reduction.fit(group, now)
        self._staffing.settle(group, now)
