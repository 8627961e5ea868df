"""Clients that send nothing more: are they gone, or do they wait for their answer?

Runs in: the controller.

Over TCP both look alike, until something is sent: who is gone answers with a reset.
HTTP/1.1 has something that may always be sent before the answer, and means nothing: a
100 (RFC 9110, 15.2).  A client of HTTP/1.0 does not know it.  So that one is believed
to be there only when a worker is at its request already: then nothing is lost.
When the answer has begun, the next piece of it is the question; and if the app has
nothing to say for a moment, the client is believed to be gone, which those who leave
in the middle of an answer are.
Over a Unix socket the kernel says which of both it is.
"""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from passtwist.http.framed_response import UNSENT

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from passtwist.http.connection import Connection
    from passtwist.http.exchange import Exchange

_PROBE = b"HTTP/1.1 100 Continue\r\n\r\n"


def probe(connection: Connection, exchange: Exchange) -> None:
    """The client of *connection* has closed its side: see whether it is there."""
    if exchange.request is not None and exchange.request.upgrade:
        # There is nothing to be said by what it wants to upgrade to.
        connection.abort()
        return
    if connection.transport.socket.family != socket.AF_UNIX:
        session = exchange.session
        if exchange.framing != UNSENT:
            connection.expect_sign(exchange.sent)
        elif exchange.http11:
            connection.output.write(_PROBE)
        elif session is None or not session.worker_pid:
            connection.abort()
            return
    connection.front.half_closed.watch(connection)


@implementer(IReadDescriptor)
class HalfClosed:
    """Watches those that may be there: a reset, or a hang-up, says that they are not.

    In an epoll of its own, because both are told without being asked for, and what
    Twisted asks for (there is something to read: the end) would be told for ever.
    """

    def __init__(self) -> None:
        self._epoll: select.epoll | None = None
        self._watched: dict[int, Connection] = {}
        self._descriptors: dict[Connection, int] = {}
        self._reactor: Any = None  # the one, or whatever stands for it

    def watch(self, connection: Connection) -> None:
        """Abort *connection* when its client is gone; it may be by now."""
        if not connection.transport.connected:
            return
        if self._epoll is None:
            self._epoll = select.epoll()
            self._reactor = connection.transport.reactor
            self._reactor.addReader(self)
        descriptor = connection.transport.fileno()
        self._watched[descriptor] = connection
        self._descriptors[connection] = descriptor
        self._epoll.register(descriptor, 0)
        self.doRead()

    def forget(self, connection: Connection) -> None:
        """It has come to its end, or its client."""
        descriptor = self._descriptors.get(connection)
        if descriptor is not None:
            self._drop(descriptor)

    def _drop(self, descriptor: int) -> None:
        del self._descriptors[self._watched.pop(descriptor)]
        if self._epoll is None:
            return
        try:
            self._epoll.unregister(descriptor)
        except OSError:
            pass  # closed by now
        if not self._watched:
            self._reactor.removeReader(self)
            self._epoll.close()
            self._epoll = None

    # --- what the reactor asks ----------------------------------------------------

    def fileno(self) -> int:
        """That of the epoll; -1 when there is none."""
        return -1 if self._epoll is None else self._epoll.fileno()

    def logPrefix(self) -> str:
        return "FrontEnd"

    def doRead(self) -> None:
        """Some are gone."""
        if self._epoll is None:
            return
        for descriptor, _ in self._epoll.poll(0):
            connection = self._watched.get(descriptor)
            if connection is None:
                continue
            self._drop(descriptor)
            if connection.has_request:
                connection.abort()

    def connectionLost(self, reason: Failure) -> None:
        """The reactor stops, and all connections end."""
