"""How things stand in the pool: frozen values for status.

Runs in: the controller.  Times in seconds, on the clock of `Pool.handle`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from passtwist.pool.states import WorkerState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from passtwist.model import WorkerId
    from passtwist.pool.group import Group
    from passtwist.pool.limits import PoolLimits
    from passtwist.pool.room import Capacity
    from passtwist.pool.worker import Worker

# What is one state inside is told by another and by `WorkerView.enabled`.
_SEEN_AS = {
    WorkerState.DISABLED: WorkerState.IDLE,
    WorkerState.DISABLING: WorkerState.BUSY,
}


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker.

    :ivar app: its app, which may have been removed.
    :ivar sessions: requests that it has now, of *concurrency* at most.
    :ivar requests: requests that it has done with.
    :ivar ready_at: None while it is starting.
    :ivar idle_since: None unless it is idle.
    :ivar enabled: it may get sessions; see `passtwist.pool.DisableRequested`.
    """

    id: WorkerId
    app: str
    state: WorkerState
    generation: int
    sessions: int
    concurrency: int
    requests: int
    spawned_at: float
    ready_at: float | None
    idle_since: float | None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class RestartView:
    """A restart under way.

    :ivar generation: that is coming.
    :ivar reason: what asked for it, in words.
    :ivar began_at: seconds.
    :ivar replaced: workers of older generations whose place was taken.
    :ivar left: workers of older generations that still have to be replaced.
    """

    generation: int
    reason: str
    began_at: float
    replaced: int
    left: int


@dataclass(frozen=True, slots=True)
class AppView:
    """One app.

    :ivar state: as in `passtwist.pool.states.AppState`, its value.
    :ivar queue: requests that wait.
    :ivar last_spawn_error: what the last spawn reported, None if it succeeded.
    :ivar retry_at: no spawn before, it may have passed; None when nothing has held
        it back since the last success.
    :ivar waits_for_room: why it wants one more worker and can't have it, in
        words, or None.
    :ivar workers: oldest first.
    :ivar restarting: the restart under way, or None.
    :ivar restart_error: why the last restart failed, None after one that did
        not.
    """

    name: str
    state: str
    generation: int
    queue: int
    last_spawn_error: object | None
    retry_at: float | None
    waits_for_room: str | None
    workers: tuple[WorkerView, ...]
    restarting: RestartView | None = None
    restart_error: object | None = None


@dataclass(frozen=True, slots=True)
class PoolView:
    """The pool.

    :ivar capacity_used: workers that start, are idle or are busy.
    :ivar busy: workers that have sessions, those that drain included.
    :ivar queue: requests that wait, over all apps.
    :ivar apps: in the order in which they were added.
    :ivar leaving: workers of apps that were removed.
    """

    max_pool_size: int
    capacity_used: int
    busy: int
    queue: int
    apps: tuple[AppView, ...]
    leaving: tuple[WorkerView, ...]


def view_of(
    limits: PoolLimits,
    capacity: Capacity,
    groups: Iterable[Group],
    workers: Mapping[int, Worker],
) -> PoolView:
    apps = tuple(_view_of_app(group) for group in groups)
    shown = {worker.id for app in apps for worker in app.workers}
    return PoolView(
        max_pool_size=limits.max_pool_size,
        capacity_used=capacity.used,
        busy=sum(worker.sessions > 0 for worker in workers.values()),
        queue=sum(app.queue for app in apps),
        apps=apps,
        leaving=tuple(
            _view_of_worker(worker)
            for worker in workers.values()
            if worker.id not in shown
        ),
    )


def _view_of_app(group: Group) -> AppView:
    back_off = group.back_off
    return AppView(
        name=group.name,
        state=group.state.value,
        generation=group.generation,
        queue=len(group.queue),
        last_spawn_error=back_off.error,
        retry_at=back_off.until or None,
        waits_for_room=group.waits_as.value if group.waits_as else None,
        workers=tuple(_view_of_worker(worker) for worker in group.workers.values()),
        restarting=_view_of_restart(group),
        restart_error=group.renewal.error,
    )


def _view_of_restart(group: Group) -> RestartView | None:
    restart = group.renewal.restart
    if restart is None:
        return None
    return RestartView(
        generation=restart.generation,
        reason=restart.reason,
        began_at=restart.began_at,
        replaced=restart.replaced,
        left=sum(
            worker.generation < restart.generation
            for worker in group.renewal.due.values()
        ),
    )


def _view_of_worker(worker: Worker) -> WorkerView:
    starting = worker.concurrency == 0
    is_idle = worker.state in (WorkerState.IDLE, WorkerState.DISABLED)
    return WorkerView(
        id=worker.id,
        app=worker.group.name,
        state=_SEEN_AS.get(worker.state, worker.state),
        generation=worker.generation,
        sessions=worker.sessions,
        concurrency=worker.concurrency,
        requests=worker.requests,
        spawned_at=worker.spawned_at,
        ready_at=None if starting else worker.ready_at,
        idle_since=worker.idle_since if is_idle else None,
        enabled=not worker.is_disabled,
    )
