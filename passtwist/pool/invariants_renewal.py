"""What is true of the workers that shall be replaced, between any two events.

Runs in: the controller's tests.  Part of `passtwist.pool.invariants`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.pool.states import WorkerState

if TYPE_CHECKING:
    from passtwist.pool.group import Group
    from passtwist.pool.pool import Pool


class BrokenInvariant(AssertionError):
    """Something that must always be true of the pool is not."""


def must(truth: bool, sentence: str) -> None:
    """:raises BrokenInvariant: it is not true."""
    if not truth:
        raise BrokenInvariant(sentence)


def check_renewal(pool: Pool, group: Group, now: float | None) -> None:
    """Each replacement has its old worker, and each old worker its turn."""
    _check_due(pool, group)
    _check_extras(group)
    _check_restart(group)
    if now is None or group.is_removed:
        return
    lacks = pool._staffing.replacing.lacks(group, now)
    waits = group in pool._staffing.replacing.waiting
    must(lacks == waits, f"{group.name} lacks an extra: {lacks}, waits: {waits}")
    may = pool._staffing.capacity.may_replace
    must(not (waits and may), f"{group.name} waits for an extra, and there is room")


def _check_due(pool: Pool, group: Group) -> None:
    name, renewal = group.name, group.renewal
    wanted = renewal.wanted(group.generation)
    for number, worker in renewal.due.items():
        must(worker.is_counted, f"worker {number} is {worker.state}, and due")
        old = worker.generation < wanted
        must(old or bool(worker.worn), f"worker {number} is good, and due")
    if group.is_removed or pool._staffing.closing:
        return
    missing = [
        worker.id
        for worker in group.workers.values()
        if worker.is_counted
        and (worker.worn or worker.generation < wanted)
        and worker.id not in renewal.due
    ]
    must(not missing, f"{name} forgot to replace {missing}")
    is_old = [worker.generation < wanted for worker in renewal.due.values()]
    ordered = is_old == sorted(is_old, reverse=True)
    must(ordered, f"{name} replaces worn workers before old ones")


def _check_extras(group: Group) -> None:
    name, renewal = group.name, group.renewal
    extras = {worker.id for worker in group.workers.values() if worker.is_extra}
    must(extras == set(renewal.extras), f"{name} has extras {extras}")
    must(len(extras) <= len(renewal.due), f"{name} starts more than it replaces")
    most = group.limits.restart_parallelism
    must(len(extras) <= most, f"{name} is over restart_parallelism")
    must(not (renewal.awaits_proof and len(extras) > 1), f"{name} starts too many")
    wanted = renewal.wanted(group.generation)
    for worker in renewal.extras.values():
        must(worker.state is WorkerState.STARTING, f"{worker.id} has started")
        must(worker.generation == wanted, f"extra {worker.id} has old code")


def _check_restart(group: Group) -> None:
    name, restart = group.name, group.renewal.restart
    must(group.generation <= group.renewal.newest, f"{name} is ahead of its time")
    newest = max((w.generation for w in group.workers.values()), default=0)
    must(newest <= group.renewal.newest, f"{name} has workers ahead of its time")
    if restart is None:
        return
    must(restart.generation == group.renewal.newest, f"{name} restarts to old code")
    must(not group.is_removed, f"{name} is removed, and restarts")
    went_ahead = group.generation == restart.generation
    must(went_ahead or not restart.switched, f"{name} has not switched")
    if restart.switched:
        outdated = group.renewal.is_outdated(group.generation)
        must(outdated, f"{name} restarts, and nothing is left to be replaced")
    elif went_ahead:
        must(group.starting > 0, f"{name} restarts, and nothing starts")
        must(not group.live, f"{name} went ahead with workers that serve")
