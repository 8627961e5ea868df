"""A client on a real socket, for tests: what it waits for are conditions.

Runs in: test processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.python.failure import Failure

PATIENCE = 20.0  # seconds


class RealClient(Protocol):
    """Remembers what came.

    :ivar data: all that the server sent.
    :ivar lost: the exception that ended the connection, None while it is open.
    """

    transport: Any  # any of Twisted's stream transports

    def __init__(self) -> None:
        self.data = bytearray()
        self.lost: BaseException | None = None
        self._waiters: list[tuple[Callable[[RealClient], object], Deferred[None]]] = []

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        self._look()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason.value
        self._look()

    def _look(self) -> None:
        waiters, self._waiters = self._waiters, []
        for condition, waiter in waiters:
            if waiter.called:
                continue
            if condition(self):
                waiter.callback(None)
            else:
                self._waiters.append((condition, waiter))

    def send(self, data: bytes) -> None:
        """Write *data* when the connection takes it."""
        self.transport.write(data)

    def until(self, condition: Callable[[RealClient], object]) -> Deferred[None]:
        """Fires when *condition*, given this client, is true.

        Looked at whenever something came.

        :returns: errbacks with TimeoutError after PATIENCE seconds.
        """
        from twisted.internet import reactor

        clock: Any = reactor  # its type is that of the one installed at run time
        waiter: Deferred[None] = Deferred()
        if condition(self):
            waiter.callback(None)
        else:
            waiter.addTimeout(PATIENCE, clock)
            self._waiters.append((condition, waiter))
        return waiter

    async def until_closed(self) -> bytes:
        """Everything that came, once the server has closed."""
        await self.until(lambda client: client.lost is not None)
        return bytes(self.data)

    async def until_ends_with(self, end: bytes) -> bytes:
        """Everything that came so far, once it ends with *end*."""
        await self.until(lambda client: client.data.endswith(end))
        return bytes(self.data)
