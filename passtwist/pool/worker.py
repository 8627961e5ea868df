"""What the pool knows of one worker.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.errors import IllegalTransition
from passtwist.pool.states import WORKER_TRANSITIONS, WorkerEvent, WorkerState

if TYPE_CHECKING:
    from passtwist.model import WorkerId
    from passtwist.pool.group import Group

_IDLE = WorkerState.IDLE
_BUSY = WorkerState.BUSY


class Worker:
    """One worker, from the wish for it until it is gone; times in seconds.

    :ivar id: numbers grow, so a smaller one is an older worker.
    :ivar sessions: requests that it has now.
    :ivar requests: requests that it has done with.
    :ivar has_exited: its process ended while it was starting.
    :ivar idle_since: when it last came to have nothing to do.
    """

    __slots__ = (
        "concurrency",
        "generation",
        "group",
        "has_exited",
        "id",
        "idle_since",
        "ready_at",
        "requests",
        "sessions",
        "spawned_at",
        "state",
    )

    def __init__(self, number: WorkerId, group: Group, generation: int, now: float):
        self.id = number
        self.group = group
        self.generation = generation
        self.state = WorkerState.STARTING
        self.concurrency = 0
        self.sessions = 0
        self.requests = 0
        self.has_exited = False
        self.spawned_at = now
        self.ready_at = 0.0
        self.idle_since = 0.0

    @property
    def takes_sessions(self) -> bool:
        return self.state is _IDLE or self.state is _BUSY

    def advance(self, event: WorkerEvent) -> None:
        """:raises IllegalTransition: *event* cannot happen now."""
        # As next_worker_state does; that call is saved on every request.
        try:
            self.state = WORKER_TRANSITIONS[self.state][event]
        except KeyError:
            raise IllegalTransition(f"worker {self.id}", self.state, event) from None
