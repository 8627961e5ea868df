"""What of an app is to be replaced, and how far that has come.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from passtwist.pool.worker import Worker


class Restart:
    """A restart under way; times in seconds.

    :ivar generation: that is coming.
    :ivar replaced: workers of older generations whose place was taken.
    :ivar switched: a worker of the new generation has been ready, so its code
        is good.
    """

    __slots__ = ("began_at", "generation", "reason", "replaced", "switched")

    def __init__(self, generation: int, reason: str, now: float) -> None:
        self.generation = generation
        self.reason = reason
        self.began_at = now
        self.replaced = 0
        self.switched = False


class Renewal:
    """How one app gets new workers for old ones.

    :ivar restart: the one under way, or None.
    :ivar asked: why the next one was asked for, None: it was not.
    :ivar began_at: when the last one began, None: none has.
    :ivar error: why the last one failed, None after one that did not.
    :ivar newest: the generation that was given out last.
    :ivar proven: the newest of which a worker has been ready; -1: none.
    :ivar released: spawners of older generations than this have been released.
    :ivar due: counted workers whose place others shall take, by number, in
        that order: those of older generations than the one wanted, oldest
        first, then worn ones.
    :ivar extras: workers that start in order to do so, by number.
    """

    __slots__ = (
        "asked",
        "began_at",
        "due",
        "error",
        "extras",
        "newest",
        "proven",
        "released",
        "restart",
    )

    def __init__(self) -> None:
        self.restart: Restart | None = None
        self.asked: str | None = None
        self.began_at: float | None = None
        self.error: object | None = None
        self.newest = 0
        self.proven = -1
        self.released = 0
        self.due: dict[int, Worker] = {}
        self.extras: dict[int, Worker] = {}

    @property
    def awaits_proof(self) -> bool:
        """Whether the code of the generation that is coming may be bad."""
        return self.restart is not None and not self.restart.switched

    def wanted(self, good: int) -> int:
        """The generation that all workers should be of; *good* is the present."""
        return good if self.restart is None else self.restart.generation

    def oldest_due(self) -> Worker | None:
        for worker in self.due.values():
            return worker
        return None

    def is_outdated(self, good: int) -> bool:
        """Whether a worker of an older generation than the one wanted is there."""
        oldest = self.oldest_due()
        return oldest is not None and oldest.generation < self.wanted(good)

    def next_time(self, pause: float) -> float | None:
        """When the restart that was asked for may begin, or None."""
        if self.asked is None or self.began_at is None:
            return None
        return self.began_at + pause
