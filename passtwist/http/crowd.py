"""How many clients there may be, and who goes when there are too many.

Runs in: the controller.

Who is not at a request is not missed: a client asks again on a new connection.  So
those give way, the most idle ones first, then those that have not come to the end of a
request's head in a while.  When there is nobody of the kind, no more are let in:
they wait in the kernel's queue, where they see a slow server and no broken one, and
every response says that its connection ends with it.

Nothing is kept in order for that: who is the most idle is found out when somebody has
to go, and then a good number of them goes.
"""

from __future__ import annotations

import heapq
import resource
from typing import TYPE_CHECKING, Protocol

from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from passtwist.http.counters import Counters

# Of the descriptors; the rest is for files, workers and logs.
_SHARE = 0.8
# Looking for the most idle ones costs a look at all; so this part of all goes at once.
_PART = 32
# Between two lines in the log that say the same.
_SILENCE = 60.0  # seconds

_log = Logger(namespace="passtwist.http")


class Dispensable(Protocol):
    """A connection, as far as this is concerned."""

    def idleness(self) -> tuple[int, float] | None:
        """The least goes first; None: it must stay."""

    def give_way(self) -> None:
        """End; nobody is waiting for an answer."""


class Crowd:
    """Of all clients of a server.

    :param connections: those that are open.
    :param now: reactor seconds, coarse: who has become idle is seen when they go on.
    :ivar most: connections; 0: four fifths of the descriptors that there may be.
    :ivar is_full: nobody comes in, and connections are not kept.
    """

    def __init__(
        self,
        connections: Collection[Dispensable],
        counters: Counters,
        now: Callable[[], float],
        changed: Callable[[], object],
    ) -> None:
        """
        :param changed: called when `is_full` has changed.
        """
        self.most = 0
        self.is_full = False
        self._connections = connections
        self._counters = counters
        self._now = now
        self._changed = changed
        self._leaving: set[Dispensable] = set()
        self._waiting: list[Callable[[], object]] = []
        self._silent_until = 0.0
        self._in_vain = -1.0  # when nobody was found who could go

    @property
    def limit(self) -> int:
        """How many there may be."""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return self.most or max(int(limit * _SHARE), 1)

    def room(self) -> int:
        """How many more may come in; some who are idle may have to go for them."""
        # Else each client that leaves, and each that comes for it, has us look at all.
        if self._free() <= 0 and self._in_vain != self._now():
            self.make_room(f"{len(self._connections)} connections are open")
        return max(self._free(), 0)

    def make_room(self, why: str) -> int:
        """Let the most idle ones go; answers how many go.

        :param why: the beginning of a sentence in the log.
        """
        ranked = (
            (rank, number, one)
            for number, one in enumerate(self._connections)
            if one not in self._leaving and (rank := one.idleness()) is not None
        )
        count = len(self._connections) // _PART + 1
        going = heapq.nsmallest(count, ranked)
        for _, _, one in going:
            self._leaving.add(one)
            self._counters.gave_way += 1
            one.give_way()
        if not going:
            self._in_vain = self._now()
        self._say(why, len(going))
        return len(going)

    def wait_for_room(self, come_in: Callable[[], object]) -> None:
        """Call *come_in* once, when there is room again."""
        self._waiting.append(come_in)
        if not self.is_full:
            self._counters.times_full += 1
            self.is_full = True
            self._changed()

    def left(self, connection: Dispensable) -> None:
        """One of them has gone."""
        self._leaving.discard(connection)
        if self.is_full and self._free() > 0:
            self._let_in()

    def look(self) -> None:
        """Time has passed: somebody may have become idle for those who wait."""
        if self.is_full and self.room():
            self._let_in()

    def _let_in(self) -> None:
        self.is_full = False
        self._changed()
        waiting, self._waiting = self._waiting, []
        for come_in in waiting:
            come_in()

    def _free(self) -> int:
        return self.limit - (len(self._connections) - len(self._leaving))

    def _say(self, why: str, count: int) -> None:
        now = self._now()
        if now < self._silent_until:
            return
        self._silent_until = now + _SILENCE
        if count:
            _log.info(
                "{why}: {count} idle connections are closed", why=why, count=count
            )
        else:
            _log.warn("{why}, and all are busy: others have to wait", why=why)
