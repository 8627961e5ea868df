"""One epoll for the descriptors that requests come and go by.

Runs in: the controller.

For each event Twisted's reactor asks for a log prefix and makes a logging context
of it; with two events to a request that costs as much as reading the request.
So listening ports, clients and the workers' connections are watched here.  It does
for them what the reactor would: read, write, end.

An epoll is readable when anything in it is.  Where it can, this one has the reactor's
in it and does the waiting (see `passtwist.service.lead`); else it is a descriptor that
the reactor watches.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any

from twisted.internet import tcp
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableDescriptor,
    IReactorFDSet,
    IReadDescriptor,
)
from twisted.internet.main import CONNECTION_LOST
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from passtwist.service.lead import Lead

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall

    from passtwist.api.reactors import Reactor

_IN = select.EPOLLIN
_OUT = select.EPOLLOUT
_ENDS = select.EPOLLHUP | select.EPOLLERR

# So many events are taken at a time.  Where the reactor waits for us, so often in one
# turn of it, whose timers have to wait for the end of it; where we wait, once.
_EVENTS = 64
_ROUNDS = 16

_log = Logger(namespace="passtwist.service")


@implementer(IReactorFDSet, IReadDescriptor)
class Poller:
    """Takes the reactor's place for descriptors; all else is the reactor's.

    Descriptors are sockets: what epoll does not take can't be watched here.
    Nothing is open, and nothing in the reactor, while nothing is watched.
    """

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._epoll: select.epoll | None = None
        self._lead: Lead | None = None
        self._watched: dict[int, Any] = {}  # readers and writers of Twisted's
        self._masks: dict[int, int] = {}

    def adopt(self, port: object) -> None:
        """Watch *port*, and the connections that come in by it, from now on.

        One that is no listening socket of Twisted's stays where it is.
        """
        if isinstance(port, tcp.Port) and port.connected:
            port.stopReading()
            port.reactor = self
            port.startReading()

    # --- in place of the reactor ------------------------------------------------

    def addReader(self, reader: Any) -> None:
        """Tell *reader* when it can be read from."""
        self._add(reader, _IN)

    def addWriter(self, writer: Any) -> None:
        """Tell *writer* when it can be written to."""
        self._add(writer, _OUT)

    def removeReader(self, reader: Any) -> None:
        """Tell it no more; harmless when it is not told anyway."""
        self._remove(reader, _IN)

    def removeWriter(self, writer: Any) -> None:
        """Tell it no more; harmless when it is not told anyway."""
        self._remove(writer, _OUT)

    def removeAll(self) -> list[Any]:
        """Watch nothing any more; answers what was watched."""
        watched = [self._watched[number] for number in self._masks]
        self._masks.clear()
        self._close()
        return watched

    def getReaders(self) -> list[Any]:
        return [self._watched[fd] for fd, mask in self._masks.items() if mask & _IN]

    def getWriters(self) -> list[Any]:
        return [self._watched[fd] for fd, mask in self._masks.items() if mask & _OUT]

    def seconds(self) -> float:
        """See `Reactor.seconds`."""
        return self._reactor.seconds()

    def callLater(
        self, delay: float, call: Callable[..., Any], /, *args: Any, **kw: Any
    ) -> IDelayedCall:
        """See `Reactor.callLater`."""
        return self._reactor.callLater(delay, call, *args, **kw)

    def callFromThread(
        self, call: Callable[..., Any], /, *args: Any, **kw: Any
    ) -> object:
        """See `Reactor.callFromThread`."""
        return self._reactor.callFromThread(call, *args, **kw)

    # --- what the reactor asks ----------------------------------------------------

    def fileno(self) -> int:
        """That of the epoll; -1 when there is none."""
        return -1 if self._epoll is None else self._epoll.fileno()

    def logPrefix(self) -> str:
        return "passtwist"

    def doRead(self) -> None:
        """Something happened to some of them."""
        for _ in range(_ROUNDS):
            if self._epoll is None:
                return
            events = self._epoll.poll(0, _EVENTS)
            if not events:
                return
            self._deal_with(events)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor stops: so do they."""
        for each in self.removeAll():
            try:
                each.connectionLost(reason)
            except Exception:  # noqa: BLE001 - logged; the others have to be told
                _log.failure("{one} failed while it was closed", one=each)

    def _wait(self, seconds: float | None) -> None:
        """In the reactor's place; what the reactor watches may end it, too."""
        if self._epoll is None or self._lead is None:
            # Somebody has kept this method, or one of his own around it.
            reactor: Any = self._reactor
            reactor.doPoll(seconds)
        else:
            timeout = -1 if seconds is None else seconds
            self._deal_with(self._epoll.poll(timeout, _EVENTS))

    def _reactor_stops(self) -> None:
        self.connectionLost(Failure(CONNECTION_LOST))

    # --- inside -----------------------------------------------------------------------

    def _deal_with(self, events: list[tuple[int, int]]) -> None:
        watched = self._watched
        one: Any = None
        try:
            for number, event in events:
                # It may have been closed since, by another one's event.
                one = watched.get(number)
                if one is None:
                    continue
                if event == _IN:
                    why = one.doRead()
                    if why is not None:
                        self._end(one, why, reading=True)
                else:
                    self._other(one, number, event)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - logged, and only its own end
            # As Twisted does it: an exit or a cancellation ends what it came from, too.
            # The rest of the events will be told again.
            _log.failure("{one} failed, and is closed", one=one)
            self._end(one, error)

    def _other(self, one: Any, number: int, event: int) -> None:
        """An event that is not just something to read."""
        # Reading and writing tell how a connection has ended; and an event that
        # is of another one, which had the number before, does no harm there.
        if event & (_IN | _ENDS) and self._is_told(one, number, _IN):
            why = one.doRead()
            if why is not None:
                self._end(one, why, reading=True)
                return
        if event & (_OUT | _ENDS) and self._is_told(one, number, _OUT):
            why = one.doWrite()
            if why is not None:
                self._end(one, why)

    def _is_told(self, one: Any, number: int, bit: int) -> bool:
        is_there = self._watched.get(number) is one
        return is_there and bool(self._masks.get(number, 0) & bit)

    def _end(self, one: Any, why: BaseException, reading: bool = False) -> None:
        try:
            self.removeReader(one)
            if (
                reading
                and isinstance(why, ConnectionDone)
                and IHalfCloseableDescriptor.providedBy(one)
            ):
                one.readConnectionLost(Failure(why))
                return
            self.removeWriter(one)
            one.connectionLost(Failure(why))
        except Exception:  # noqa: BLE001 - logged; it must not be the end of all
            _log.failure("{one} failed while it was closed", one=one)

    def _add(self, one: Any, bit: int) -> None:
        number = one.fileno()
        if self._watched.get(number) is not one:
            # Whoever had the number before is closed, and so not in the epoll.
            try:
                self._opened().register(number, bit)
            except OSError:
                if not self._masks:
                    self._close()
                raise
            self._watched[number] = one
            self._masks[number] = bit
        elif not self._masks[number] & bit:
            self._masks[number] |= bit
            self._opened().modify(number, self._masks[number])

    def _remove(self, one: Any, bit: int) -> None:
        number = one.fileno()
        if number < 0:
            number = self._number_of(one)
        if number not in self._watched or self._watched[number] is not one:
            return
        mask = self._masks[number] & ~bit
        if mask:
            if mask != self._masks[number]:
                self._masks[number] = mask
                self._opened().modify(number, mask)
            return
        del self._watched[number], self._masks[number]
        if one.fileno() == number:  # else closing it has taken it out
            self._opened().unregister(number)
        if not self._masks:
            self._close()

    def _number_of(self, one: Any) -> int:
        """The number that one had that is closed already."""
        return next((fd for fd, each in self._watched.items() if each is one), -1)

    def _opened(self) -> select.epoll:
        if self._epoll is None:
            self._epoll = epoll = select.epoll()
            try:
                self._enter(epoll)
            except BaseException:
                self._epoll = None
                epoll.close()
                raise
        return self._epoll

    def _enter(self, epoll: select.epoll) -> None:
        """:raises OSError: there is no room for one descriptor more."""
        if not Lead.is_possible(self._reactor):
            self._reactor.addReader(self)
            return
        lead = Lead(self._reactor, self._wait, self._reactor_stops)
        try:
            epoll.register(lead.fileno(), _IN)
        except BaseException:
            lead.give_back()
            raise
        self._watched[lead.fileno()] = self._lead = lead

    def _close(self) -> None:
        if self._epoll is None:
            return
        if self._lead is None:
            self._reactor.removeReader(self)
        else:
            self._lead.give_back()
            self._lead = None
        self._watched.clear()
        self._epoll.close()
        self._epoll = None
