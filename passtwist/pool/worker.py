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

# So often sessions may end without a second look: the most that still compares
# as fast as a small number.  After that a look at each finds nothing.
UNLIMITED = (1 << 30) - 1

_IDLE = WorkerState.IDLE
_BUSY = WorkerState.BUSY


class Worker:
    """One worker, from the wish for it until it is gone; times in seconds.

    :ivar id: numbers grow, so a smaller one is an older worker.
    :ivar sessions: requests that it has now.
    :ivar requests: requests that it has done with.
    :ivar notable_at: from so many requests on the end of each is worth a
        second look: it is worn then, or leaves, or is disabled.  One number
        for all of them because it is compared with on every request.
    :ivar jitter: chance that it brought along, from 0 to below 1.
    :ivar is_extra: it starts beside those that count, to take the place of one.
    :ivar worn: why another one shall take its place, or "".
    :ivar draining_since: when it was told to leave with sessions in it.
    :ivar has_exited: its process ended while it was starting.
    :ivar is_lost: its connections broke when it was young; how it died is to
        come.
    :ivar idle_since: when it last came to have nothing to do.
    """

    __slots__ = (
        "concurrency",
        "draining_since",
        "generation",
        "group",
        "has_exited",
        "id",
        "idle_since",
        "is_extra",
        "is_lost",
        "jitter",
        "notable_at",
        "ready_at",
        "requests",
        "sessions",
        "spawned_at",
        "state",
        "worn",
    )

    def __init__(self, number: WorkerId, group: Group, generation: int, now: float):
        self.id = number
        self.group = group
        self.generation = generation
        self.state = WorkerState.STARTING
        self.concurrency = 0
        self.sessions = 0
        self.requests = 0
        self.notable_at = UNLIMITED
        self.jitter = 0.0
        self.is_extra = False
        self.worn = ""
        self.has_exited = False
        self.is_lost = False
        self.spawned_at = now
        self.ready_at = 0.0
        self.idle_since = 0.0
        self.draining_since = 0.0

    @property
    def takes_sessions(self) -> bool:
        return self.state is _IDLE or self.state is _BUSY

    @property
    def is_counted(self) -> bool:
        """Whether it counts against the sizes of pool and app."""
        if self.state is WorkerState.STARTING:
            return not self.is_extra
        return self.takes_sessions

    @property
    def is_disabled(self) -> bool:
        """Whether it could take sessions and shall not."""
        return self.state is WorkerState.DISABLED or self.state is WorkerState.DISABLING

    def advance(self, event: WorkerEvent) -> None:
        """:raises IllegalTransition: *event* cannot happen now."""
        # As next_worker_state does; that call is saved on every request.
        try:
            self.state = WORKER_TRANSITIONS[self.state][event]
        except KeyError:
            raise IllegalTransition(f"worker {self.id}", self.state, event) from None
