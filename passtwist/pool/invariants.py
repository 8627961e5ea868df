"""What is true of the pool between any two events.

Runs in: the controller's tests.  Slow on purpose: everything is counted anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.pool.invariants_renewal import BrokenInvariant, check_renewal, must
from passtwist.pool.room import Need
from passtwist.pool.states import AppState, WorkerState

if TYPE_CHECKING:
    from passtwist.pool.group import Group
    from passtwist.pool.pool import Pool
    from passtwist.pool.worker import Worker

_COUNTED = (WorkerState.STARTING, WorkerState.IDLE, WorkerState.BUSY)
_LIVE = (WorkerState.IDLE, WorkerState.BUSY)
_SERVING = (AppState.READY, AppState.RESTARTING, AppState.DEGRADED)


_WITH_SESSIONS = (WorkerState.BUSY, WorkerState.DISABLING, WorkerState.DRAINING)


__all__ = ["BrokenInvariant", "check"]


def check(pool: Pool, now: float | None = None) -> None:
    """Raise unless everything in *pool* fits together.

    :param now: seconds; with it, what depends on the time is checked too.
        All alarms that are due by then must have been told.
    :raises BrokenInvariant: with a sentence that says what does not fit.
    """
    for worker in pool._workers.values():
        _check_worker(worker)
    for group in _groups_of(pool):
        _check_counts(group)
        _check_app_state(group)
        _check_queue(group)
        _check_routing(group)
        _check_spares(group)
        check_renewal(pool, group, now)
        if now is not None:
            _check_needs(pool, group, now)
    _check_capacity(pool)
    _check_idleness(pool)
    _check_line(pool)
    if now is not None:
        _check_room(pool, now)
        _check_alarms(pool, now)


def _groups_of(pool: Pool) -> list[Group]:
    """Removed apps included, as long as they have workers."""
    groups = {id(group): group for group in pool._groups.values()}
    groups |= {id(worker.group): worker.group for worker in pool._workers.values()}
    return list(groups.values())


def _check_worker(worker: Worker) -> None:
    who, state, sessions = f"worker {worker.id}", worker.state, worker.sessions
    must(state is not WorkerState.GONE, f"{who} is gone and still known")
    known = worker.group.workers.get(worker.id)
    must(known is worker, f"{who} is unknown to its app")
    must(
        (state in _WITH_SESSIONS) == (sessions > 0),
        f"{who} is {state} with {sessions} sessions",
    )
    must(sessions <= max(worker.concurrency, 0), f"{who} has more than it can carry")
    in_idle = worker.id in worker.group.idle
    must(
        in_idle == (state is WorkerState.IDLE), f"{who} is {state}, in idle: {in_idle}"
    )


def _check_counts(group: Group) -> None:
    workers = group.workers.values()
    live = sum(worker.state in _LIVE for worker in workers)
    starting = sum(
        worker.state is WorkerState.STARTING and not worker.is_extra
        for worker in workers
    )
    must(group.live == live, f"{group.name} has {live} live, says {group.live}")
    must(
        group.starting == starting,
        f"{group.name} has {starting} starting, says {group.starting}",
    )
    most = group.limits.max_instances
    must(not most or group.total <= most, f"{group.name} is over max_instances")
    must(
        starting <= group.limits.spawn_concurrency,
        f"{group.name} is over spawn_concurrency",
    )
    idle = [worker.idle_since for worker in group.idle.values()]
    must(idle == sorted(idle), f"{group.name}'s idle workers are out of order")


def _check_app_state(group: Group) -> None:
    state, name = group.state, group.name
    must((group.live > 0) == (state in _SERVING), f"{name}: {group.live} live, {state}")
    if state is AppState.STARTING:
        must(group.starting > 0, f"{name} is starting, but no worker is")
    if state is AppState.STOPPED:
        must(group.starting == 0, f"{name} is stopped, but a worker starts")
    if state is AppState.READY:
        must(not group.back_off.failures, f"{name} is ready after a failed spawn")
        must(group.renewal.error is None, f"{name} is ready after a failed restart")
        must(group.renewal.restart is None, f"{name} is ready in a restart")
    if state is AppState.RESTARTING:
        must(group.renewal.restart is not None, f"{name} is in no restart")


def _check_queue(group: Group) -> None:
    arrivals = list(group.queue.values())
    must(arrivals == sorted(arrivals), f"{group.name}'s queue is out of order")
    limit = group.limits.max_queue_size
    most = max(limit, group.overlong)
    must(not limit or len(arrivals) <= most, f"{group.name}'s queue is too long")
    must(not (arrivals and group.is_removed), f"{group.name} is removed, with waiters")
    if arrivals:
        roomy = [
            worker.id
            for worker in group.workers.values()
            if worker.takes_sessions and worker.sessions < worker.concurrency
        ]
        must(not roomy, f"{group.name} has waiters, and workers {roomy} have room")


def _check_routing(group: Group) -> None:
    roomy = {
        worker.id
        for worker in group.workers.values()
        if worker.takes_sessions and worker.sessions < worker.concurrency
    }
    offered = group.router.offered()
    must(offered == roomy, f"{group.name} offers {offered}, {roomy} have room")


def _check_spares(group: Group) -> None:
    """Whoever has too few idle workers looks for spares before long."""
    limits, idle = group.limits, len(group.idle)
    must(group.lacking >= 0, f"{group.name} lacks {group.lacking} spares")
    if group.dormant or 0 < limits.max_instances <= group.total:
        return
    missing = limits.spare_workers - idle - group.starting
    must(missing <= 0 or group.look_at is not None, f"{group.name} forgot its spares")


def _check_capacity(pool: Pool) -> None:
    capacity, limits = pool._staffing.capacity, pool.limits
    workers = [worker for worker in pool._workers.values() if not worker.is_extra]
    states = [worker.state for worker in workers]
    extras = len(pool._workers) - len(workers)
    used = sum(state in _COUNTED for state in states)
    starting = sum(state is WorkerState.STARTING for state in states)
    must(capacity.used == used, f"{used} workers count, capacity says {capacity.used}")
    must(capacity.starting == starting, f"{starting} start, not {capacity.starting}")
    must(used <= limits.max_pool_size, f"{used} workers are over max_pool_size")
    must(starting <= limits.spawn_concurrency, f"{starting} spawns are too many")
    must(capacity.replacing == extras, f"{extras} extras, not {capacity.replacing}")
    must(extras <= limits.spawn_concurrency, f"{extras} extras are too many")


def _check_idleness(pool: Pool) -> None:
    staffing = pool._staffing
    groups = [group for group in _groups_of(pool) if group.idle]
    for of, listing, candidates in (
        ("all", staffing.idle, groups),
        (
            "surplus",
            staffing.surplus,
            [g for g in groups if g.has_surplus and not g.keeps_spares],
        ),
        (
            "keepers' surplus",
            staffing.keepers,
            [g for g in groups if g.has_surplus and g.keeps_spares],
        ),
    ):
        missing = [group.name for group in candidates if group not in listing.listed]
        must(not missing, f"{missing} are missing in the longest idle of {of}")
        times = [w.idle_since for group in candidates for w in group.idle.values()]
        first = listing.first()
        must(
            (first.idle_since if first else None) == min(times, default=None),
            f"{first and first.id} is not the longest idle of {of}",
        )


def _check_line(pool: Pool) -> None:
    for need, groups in pool._line.standing().items():
        for group in groups:
            said = group.waits_as
            must(said is need, f"{group.name} stands as {need}, says {said}")
            must(not group.is_removed, f"{group.name} is removed, and stands in line")
        for group in groups if need is Need.HOMELESS else []:
            homeless = bool(group.queue) and not group.total
            must(homeless, f"{group.name} stands as homeless and is not")


def _check_needs(pool: Pool, group: Group, now: float) -> None:
    """Whoever lacks a worker stands in line for it, for that very reason."""
    need = group.need(now)
    said = group.waits_as
    must(said is need, f"{group.name} needs {need}, but stands in line as {said}")
    if not group.live and group.back_off.is_active(now):
        backs_off = group.state is AppState.BACKING_OFF
        must(backs_off, f"{group.name} is {group.state} in back-off")
        must(not group.queue, f"{group.name} has waiters in back-off")
    hopeless = group.queue and not group.live and not group.starting
    if hopeless:
        must(need is Need.HOMELESS, f"{group.name} has waiters nobody will serve")


def _check_room(pool: Pool, now: float) -> None:
    """Nobody stands in line while there is room."""
    capacity, line = pool._staffing.capacity, pool._line
    first = line.first()
    if first is None or not capacity.may_spawn:
        return
    must(capacity.is_full, f"there is room, and {first.name} stands in line")
    if line.homeless:
        idle = pool._staffing.idle.first()
        must(idle is None, f"worker {idle and idle.id} is idle, an app has none")
    spare = pool._staffing.longest_idle_surplus()
    if line.is_pressing and spare is not None:
        time = spare.idle_since + pool.limits.fair_turn
        is_young = time > now and pool._alarms.is_set_by(None, time)
        must(is_young, f"worker {spare.id} is spare, an app has waiters")


def _check_alarms(pool: Pool, now: float) -> None:
    """Whatever time alone will change has an alarm that rings by then."""
    for name, group in pool._groups.items():
        time = group.next_time(pool.limits, now)
        if time is not None:
            is_set = pool._alarms.is_set_by(name, max(now, time))
            must(is_set, f"nothing will wake {name} at {time}")
    worker = pool._staffing.surplus.first()
    if worker is not None and pool.limits.pool_idle_time:
        time = max(now, worker.idle_since + pool.limits.pool_idle_time)
        is_set = pool._alarms.is_set_by(None, time)
        must(is_set, f"nothing will retire worker {worker.id} at {time}")
    for time in pool._staffing.patience.deadlines():
        is_set = pool._alarms.is_set_by(None, time)
        must(is_set, f"nothing will end who drains at {time}")
