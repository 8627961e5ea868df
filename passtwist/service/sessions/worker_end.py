"""The worker's end of an upgraded connection: bytes, and no requests any more.

Runs in: the controller.
"""

from __future__ import annotations

import select
import socket
from collections import deque
from typing import TYPE_CHECKING

from zope.interface import implementer

from passtwist.api.interfaces import ITunnelEnd
from passtwist.api.selectable import Selectable

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

    from passtwist.api.reactors import Reactor

READ_SIZE = 64 * 1024
# What a worker that is to leave has for its goodbyes.
LEAVE_WITHIN = 5.0  # seconds


@implementer(ITunnelEnd)
class WorkerEnd(Selectable):
    """See `ITunnelEnd`.

    :param end: the connected socket; taken over.
    :param over: called once, when it is closed.
    """

    def __init__(
        self, reactor: Reactor, end: socket.socket, over: Callable[[], None]
    ) -> None:
        super().__init__(reactor, end.fileno())
        self._socket = end
        self._over = over
        self._client: ITunnelEnd | None = None
        self._unsent: deque[bytes] = deque()
        self._is_holding = False  # the client, as the worker does not read
        self._is_paused = False  # by the client, which does not
        self._is_ending = False  # no more from the client
        self._has_ended = False  # no more from the worker
        self._leaving: IDelayedCall | None = None

    def begin(self, client: ITunnelEnd, rest: bytes) -> None:
        """Let bytes flow.

        :param rest: what the worker has said already.
        """
        self._client = client
        if self._descriptor < 0:  # it is gone already
            client.close()
            return
        if self._is_holding:
            client.pause()
        if rest:
            client.send(rest)
        if not self._is_paused and self._descriptor >= 0:
            self._reactor.addReader(self)

    def leave(self) -> None:
        """The worker is to leave: it sees the client's end, and may say goodbye."""
        if self._descriptor >= 0 and self._leaving is None:
            self._leaving = self._reactor.callLater(LEAVE_WITHIN, self._hurry)
            self.end()

    def drop(self) -> None:
        """Close it; tells nobody."""
        if self._descriptor >= 0:
            if self._leaving is not None and self._leaving.active():
                self._leaving.cancel()
            self.unwatch()
            self._descriptor = -1
            self._socket.close()
            self._unsent.clear()

    def take_rest(self) -> None:
        """The worker is dead: pass on what it had sent, and close both ends."""
        while self._descriptor >= 0 and not self._has_ended and self._client:
            try:
                data = self._socket.recv(READ_SIZE)
            except OSError:
                break
            if not data:
                break
            self._client.send(data)
        self._close_both()

    # --- the client's side: ITunnelEnd ----------------------------------------

    def send(self, data: bytes) -> None:
        """See `ITunnelEnd.send`."""
        if self._descriptor < 0 or self._is_ending:
            return
        if not self._unsent:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._close_both()
                return
            if sent == len(data):
                return
            data = data[sent:]
            self._reactor.addWriter(self)
        self._unsent.append(data)
        if not self._is_holding:
            self._is_holding = True
            if self._client is not None:
                self._client.pause()

    def end(self) -> None:
        """See `ITunnelEnd.end`."""
        if not self._is_ending:
            self._is_ending = True
            if not self._unsent:
                self._shut()

    def pause(self) -> None:
        """See `ITunnelEnd.pause`."""
        self._is_paused = True
        self._reactor.removeReader(self)

    def resume(self) -> None:
        """See `ITunnelEnd.resume`."""
        self._is_paused = False
        if self._descriptor >= 0 and not self._has_ended:
            self._reactor.addReader(self)

    def close(self) -> None:
        """See `ITunnelEnd.close`."""
        if self._descriptor >= 0:
            self.drop()
            self._over()

    # --- the reactor's side ---------------------------------------------------

    def doRead(self) -> None:
        """Bytes from the worker."""
        try:
            data = self._socket.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            self._close_both()
            return
        if self._client is None:
            return
        if data:
            self._client.send(data)
            return
        self._has_ended = True
        self._reactor.removeReader(self)
        if self._is_ending or self._is_hung_up():
            self._close_both()
        else:
            self._client.end()

    def doWrite(self) -> None:
        """What the worker did not take before."""
        while self._unsent:
            data = self._unsent[0]
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                return
            except OSError:
                self._close_both()
                return
            if sent < len(data):
                self._unsent[0] = data[sent:]
                return
            self._unsent.popleft()
        self._reactor.removeWriter(self)
        if self._is_ending:
            self._shut()
        elif self._is_holding:
            self._is_holding = False
            if self._client is not None:
                self._client.resume()

    def connectionLost(self, reason: Failure) -> None:
        """The client's end has failed: nobody watches us any more."""
        try:
            super().connectionLost(reason)
        finally:
            self._close_both()

    # --- inside ---------------------------------------------------------------

    def _shut(self) -> None:
        if self._has_ended:
            self._close_both()
        elif self._descriptor >= 0:
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError:
                self._close_both()

    def _is_hung_up(self) -> bool:
        """Whether it is closed altogether, and not only for writing."""
        poll = select.poll()
        poll.register(self._descriptor, 0)
        return bool(poll.poll(0))

    def _hurry(self) -> None:
        self._leaving = None
        self._close_both()

    def _close_both(self) -> None:
        if self._descriptor >= 0:
            client = self._client
            self.close()
            if client is not None:
                client.close()
