"""Waiting in an epoll of ours with the reactor's inside, not the other way round.

Runs in: the controller.

Ours inside the reactor's takes three waits, a logging context and a turn of the
reactor's loop for each event that comes alone.  With the reactor's inside ours it is
one wait.  Its own descriptors, by one of which calls from threads come, are told in
the same turn and take one wait more; they are few while requests come and go.  Timers
stay the reactor's: it asks us to wait no longer than the next of them.
"""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING, Any

from twisted.internet.epollreactor import EPollReactor
from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.python.failure import Failure

    from passtwist.api.reactors import Reactor

_log = Logger(namespace="passtwist.service")


class Lead:
    """A reactor whose waiting is done by somebody else; read like any descriptor.

    :param wait: waits, for so many seconds or with None for ever, until something
        happens to what is watched or to `fileno`.
    :param stop: called when the reactor gives up all that it watches, as at its end.
    :raises OSError: there is no descriptor for the latter.
    """

    def __init__(
        self,
        reactor: Any,  # more is asked of it than of others
        wait: Callable[[float | None], None],
        stop: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._wait = wait
        self._end = _End(stop)
        try:
            reactor.addReader(self._end)
        except BaseException:
            self._end.close()
            raise
        reactor.doIteration = wait

    @staticmethod
    def is_possible(reactor: Reactor) -> bool:
        """Whether that is known to work.

        That is with Twisted's own reactor for epoll, of which nothing but its epoll
        has to be known, while nobody has put anything in the place of its waiting.
        """
        return (
            type(reactor) is EPollReactor
            and isinstance(getattr(reactor, "_poller", None), select.epoll)
            and "doIteration" not in vars(reactor)
        )

    def give_back(self) -> None:
        """The reactor waits for itself again, unless somebody else does it now."""
        if vars(self._reactor).get("doIteration") is self._wait:
            del self._reactor.doIteration
        self._reactor.removeReader(self._end)
        self._end.close()

    def fileno(self) -> int:
        """The reactor's epoll."""
        number: int = self._reactor._poller.fileno()
        return number

    def doRead(self) -> None:
        """Something happened to the reactor's own descriptors."""
        try:
            self._reactor.doPoll(0)
        except Exception:  # noqa: BLE001 - logged, as the reactor does it
            _log.failure("unexpected error in the main loop")


class _End:
    """A descriptor to which nothing ever happens, in the reactor's care.

    When the reactor stops it gives up its descriptors before it joins its threads,
    which may wait for them; so shall ours be.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._number = os.eventfd(0, os.EFD_CLOEXEC)

    def fileno(self) -> int:
        return self._number

    def logPrefix(self) -> str:
        return "passtwist"

    def doRead(self) -> None:
        """Never."""

    def connectionLost(self, reason: Failure) -> None:
        self._stop()

    def close(self) -> None:
        """Harmless when closed."""
        if self._number >= 0:
            os.close(self._number)
            self._number = -1
