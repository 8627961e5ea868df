"""What becomes of workers: ready, failed, gone, lost, detached.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.errors import IllegalTransition
from passtwist.pool import refusals
from passtwist.pool.actions import Announce, GrantSession, StopWorker
from passtwist.pool.events import SpawnFailed
from passtwist.pool.notices import (
    SpawnHasFailed,
    WorkerBecameReady,
    WorkerDied,
    WorkerUnreachable,
)
from passtwist.pool.states import AppEvent, AppState, WorkerEvent, WorkerState

if TYPE_CHECKING:
    from passtwist.model import WorkerId
    from passtwist.pool.actions import Action
    from passtwist.pool.events import (
        DetachRequested,
        WorkerExited,
        WorkerLost,
        WorkerReady,
    )
    from passtwist.pool.group import Group
    from passtwist.pool.staffing import Staffing
    from passtwist.pool.upkeep import Upkeep
    from passtwist.pool.worker import Worker

# Who has exited and yet says that it is ready brings no chance along.
_NO_CHANCE = 0.0


class Personnel:
    """Takes note of what the outside world reports of workers."""

    def __init__(
        self, staffing: Staffing, upkeep: Upkeep, outbox: list[Action]
    ) -> None:
        self._staffing = staffing
        self._upkeep = upkeep
        self._outbox = outbox

    def _worker(self, number: WorkerId, event: WorkerEvent) -> Worker | None:
        """The worker that a report is about; None: it is gone already.

        :raises IllegalTransition: there never was such a worker.
        """
        worker = self._staffing.workers.get(number)
        if worker is None and not 0 < number <= self._staffing.last_number:
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
        self._staffing.became_ready(worker, now)
        if worker.state is WorkerState.STOPPING:
            reason = "it was ready when it was not wanted any more"
            self._outbox.append(StopWorker(worker.id, reason))
            return
        worker.concurrency = event.concurrency
        worker.ready_at = now
        group.back_off.reset()
        seconds = now - worker.spawned_at
        notice = WorkerBecameReady(group.name, worker.id, seconds)
        self._outbox.append(Announce(notice))
        self._upkeep.happened(group, AppEvent.WORKER_READY)
        group.router.offer(worker)
        self._serve_waiters(group, worker, now)
        if group.keeps_spares:
            self._staffing.spares.taken(group, now)
        self._staffing.settle(group, now)

    def _serve_waiters(self, group: Group, worker: Worker, now: float) -> None:
        """Give a new worker to those who wait for one."""
        group.idle[worker.id] = worker
        while group.queue and (chosen := group.router.take()) is not None:
            group.begin_session(chosen)
            self._outbox.append(GrantSession(group.queue.pop_first(), chosen.id))
        if worker.state is WorkerState.IDLE:
            self._staffing.became_idle(worker, now)

    def spawn_failed(self, event: SpawnFailed, now: float) -> None:
        worker = self._worker(event.worker, WorkerEvent.SPAWN_FAILED)
        if worker is None:
            return
        group = worker.group
        unwanted = worker.state is WorkerState.STOPPING
        self._staffing.gone(worker, WorkerEvent.SPAWN_FAILED, now)
        if not unwanted:
            if event.innocent and group.back_off.is_forgiven(event.error):
                self._forgive(group, worker, event)
            else:
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
        if worker.sessions or worker.takes_sessions:
            notice = WorkerDied(group.name, worker.id, worker.sessions)
            self._outbox.append(Announce(notice))
        if worker.takes_sessions:
            group.worker_died(worker, now)
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
        if worker.takes_sessions:
            group.worker_died(worker, now)
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
