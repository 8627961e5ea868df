"""What a pool was told, so that another one can be told the same.

The pool is deterministic, so a record played to a fresh pool does the same
work again, with nothing of the simulation around it.
"""

from __future__ import annotations

from enum import IntEnum
from time import thread_time_ns
from typing import TYPE_CHECKING, Any

from passtwist.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from passtwist.model import WorkerId
    from passtwist.pool import Action, Event, PoolLimits


class Told(IntEnum):
    """The ways to tell a pool of something."""

    CHECKOUT = 0
    END_SESSION = 1
    CANCEL = 2
    HANDLE = 3


# Any: application and ticket, or worker, or event; then nothing or a ticket.
Call = tuple[Told, Any, Any, float]


class RecordedPool(Pool):
    """A pool that keeps a record of what it is told.

    :ivar record: oldest first.
    """

    def __init__(self, limits: PoolLimits) -> None:
        super().__init__(limits)
        self.record: list[Call] = []

    def checkout(
        self, app: str, ticket: Hashable, now: float, *others: Any
    ) -> WorkerId | None:
        self.record.append((Told.CHECKOUT, app, ticket, now))
        return super().checkout(app, ticket, now, *others)

    def end_session(
        self, worker: WorkerId, now: float, begun: Hashable | None = None
    ) -> Hashable | None:
        self.record.append((Told.END_SESSION, worker, begun, now))
        return super().end_session(worker, now, begun)

    def cancel(self, app: str, ticket: Hashable, now: float) -> None:
        self.record.append((Told.CANCEL, app, ticket, now))
        super().cancel(app, ticket, now)

    def handle(self, event: Event, now: float) -> list[Action]:
        self.record.append((Told.HANDLE, event, None, now))
        return super().handle(event, now)


def play(pool: Pool, record: Sequence[Call]) -> None:
    """Tell *pool* all of that, and throw away what it wants done."""
    checkout, end_session = pool.checkout, pool.end_session
    cancel, handle, outbox = pool.cancel, pool.handle, pool.outbox
    for told, what, ticket, now in record:
        if told is Told.CHECKOUT:
            checkout(what, ticket, now)
        elif told is Told.END_SESSION:
            end_session(what, now, ticket)
        elif told is Told.HANDLE:
            handle(what, now)
        else:
            cancel(what, ticket, now)
        if outbox:
            pool.take_actions()


def timed(pool: Pool, record: Sequence[Call]) -> float:
    """Seconds of CPU time that *pool* takes for all of that."""
    begun = thread_time_ns()
    play(pool, record)
    return (thread_time_ns() - begun) / 1e9


def timed_singly(pool: Pool, record: Sequence[Call]) -> dict[str, tuple[int, float]]:
    """How many of each kind, and seconds of CPU time for all of a kind.

    Looking at the clock is part of each: for finding out where time goes, not
    for how much it is.
    """
    found: dict[str, list[int]] = {}
    ways = (pool.checkout, pool.end_session, pool.cancel, pool.handle)
    take_actions, outbox, clock = pool.take_actions, pool.outbox, thread_time_ns
    for told, what, ticket, now in record:
        way: Any = ways[told]
        arguments = (what, now) if ticket is None else (what, ticket, now)
        begun = clock()
        way(*arguments)
        if outbox:
            take_actions()
        passed = clock() - begun
        name = type(what).__name__ if told is Told.HANDLE else told.name.lower()
        sums = found.setdefault(name, [0, 0])
        sums[0] += 1
        sums[1] += passed
    return {name: (count, passed / 1e9) for name, (count, passed) in found.items()}
