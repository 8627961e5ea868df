"""One client connection of the load generator: one request at a time.

On bare sockets and not on asyncio's transports: servers without keep-alive need
a connection for each request, and a transport costs more than all the rest.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Protocol

from benchmarks.load.open_loop_answer import Answer, BadAnswer

if TYPE_CHECKING:
    import asyncio

    from benchmarks.load.open_loop_schedule import Kind

READ = 1 << 18


class Asked:
    """A request that was due.

    :ivar kind: its index.
    :ivar intended: when it was due, on the loop's clock.
    :ivar sent: when it was given to a connection.
    :ivar retried: it is asked for the second time.
    """

    __slots__ = ("intended", "kind", "retried", "sent")

    def __init__(self, kind: int, intended: float) -> None:
        self.kind = kind
        self.intended = intended
        self.sent = intended
        self.retried = False


class Owner(Protocol):
    """Whom a connection reports to."""

    kinds: list[Kind]
    requests: list[bytes]
    address: tuple[str, int]

    def settled(self, connection: Connection, asked: Asked, reason: str) -> None:
        """Answered, or why not; the connection is idle or closed."""

    def again(self, connection: Connection, asked: Asked) -> None:
        """It was closed when it was asked: no byte came; ask on another one."""

    def closed(self, connection: Connection) -> None:
        """The server closed it while it was idle."""


class Connection:
    """To be asked only when idle.

    :ivar asked: what it waits for; None if idle.
    :ivar open: it can be asked; false for good after an error.
    """

    __slots__ = ("_answer", "_loop", "_owner", "_socket", "_used", "asked", "open")

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self.asked: Asked | None = None
        self.open = True
        self._owner = owner
        self._loop = loop
        self._answer = Answer()
        self._used = False
        self._socket: socket.socket | None = None

    def ask(self, asked: Asked) -> None:
        """Send it; connect first if need be."""
        self.asked = asked
        self._answer = Answer()
        if self._socket is None:
            self._connect()
        else:
            self._send()

    def give_up(self, reason: str) -> None:
        """End the request with an error, and the connection with it."""
        self._settle(reason)

    def close(self) -> None:
        """For good; may be called again."""
        self.open = False
        connection, self._socket = self._socket, None
        if connection is not None:
            self._loop.remove_reader(connection)
            self._loop.remove_writer(connection)
            connection.close()

    def _connect(self) -> None:
        connection = socket.socket()
        self._socket = connection
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        error = connection.connect_ex(self._owner.address)
        if error in (0, errno.EINPROGRESS):
            self._loop.add_writer(connection, self._connected)
        else:
            # Not now: the one who asks would be called back while it asks.
            self._loop.call_soon(self._refused, error)

    def _connected(self) -> None:
        connection = self._socket
        assert connection is not None
        self._loop.remove_writer(connection)
        error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._refused(error)
        else:
            self._loop.add_reader(connection, self._readable)
            self._send()

    def _refused(self, error: int) -> None:
        if self.asked is not None:
            self._settle(f"connect: {os.strerror(error)}")

    def _send(self) -> None:
        assert self._socket is not None
        assert self.asked is not None
        request = self._owner.requests[self.asked.kind]
        try:
            sent = self._socket.send(request)
        except OSError:
            self._loop.call_soon(self._lost)
            return
        if sent < len(request):
            # Some hundred bytes into an empty buffer.
            self._loop.call_soon(self.give_up, "sent in part only")

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(READ)
        except BlockingIOError:
            return
        except OSError:
            self._lost()
            return
        if self.asked is None:
            self.close()
            self._owner.closed(self)
        elif not data:
            if self._answer.end_of_file():
                self._settle(self._fault(), whole=True)
            else:
                self._lost()
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        try:
            complete = self._answer.feed(data)
        except BadAnswer as fault:
            self._settle(f"bad answer: {fault}")
            return
        if complete:
            self._settle(self._fault(), whole=True)

    def _fault(self) -> str:
        """What is wrong with a complete answer; empty: nothing."""
        assert self.asked is not None
        answer = self._answer
        if answer.status != 200:
            return f"status {answer.status}"
        wanted = self._owner.kinds[self.asked.kind].length
        if wanted not in (-1, answer.length):
            return f"{answer.length} bytes instead of {wanted}"
        return ""

    def _settle(self, reason: str, whole: bool = False) -> None:
        """The end of a request.

        :param whole: all of an answer has come, be it a wrong one: no fault of
            the connection.
        """
        asked, self.asked = self.asked, None
        self._used = True
        if not (whole and self._answer.keep_alive):
            self.close()
        if asked is not None:
            self._owner.settled(self, asked, reason)

    def _lost(self) -> None:
        """The connection ended before the answer did."""
        asked = self.asked
        if not self.open:
            return
        if asked is None:
            self.close()
            self._owner.closed(self)
        elif self._used and not self._answer.begun and not asked.retried:
            # RFC 9112, 9.3.1: the server may close an idle connection just
            # when a request is sent; clients ask such a one again.
            self.asked = None
            self.close()
            asked.retried = True
            self._owner.again(self, asked)
        else:
            self._settle("the connection ended before the answer")
