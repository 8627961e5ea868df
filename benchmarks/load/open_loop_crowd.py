"""All connections of the load generator, and the requests that wait for one."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.load.open_loop_connection import Asked, Connection
from benchmarks.load.open_loop_outcome import Tally

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from benchmarks.load.open_loop_schedule import Kind

SWEEP = 0.05


class Crowd:
    """At most so many connections; what finds none free waits in order.

    :param limit: connections.
    :param patience: seconds from the intended time; a request that is not
        answered by then is an error, also one that was never sent.
    :param settled: called for each request, when it is noted already; with
        whether it was answered well.
    :ivar opened: connections so far.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        url: str,
        kinds: Sequence[Kind],
        limit: int,
        patience: float,
        settled: Callable[[bool], None],
    ) -> None:
        parts = urlsplit(url)
        host = parts.hostname or "127.0.0.1"
        self.address = (host, parts.port or 80)
        self.kinds = list(kinds)
        rest = f" HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n"
        self.requests = [
            f"GET {parts.path}{kind.path}{rest}".encode() for kind in kinds
        ]
        self.tallies = [Tally() for _ in kinds]
        self.opened = 0
        self._loop = loop
        self._limit = limit
        self._patience = patience
        self._settled = settled
        self._all: set[Connection] = set()
        # The one used last is used next, so that a server sees no more
        # connections than it must.
        self._idle: list[Connection] = []
        self._waiting: deque[Asked] = deque()
        self._sweeper = loop.call_later(SWEEP, self._sweep)

    def offer(self, asked: Asked) -> None:
        """Send it now, or when a connection is free."""
        if self._idle:
            self._send(self._idle.pop(), asked)
        elif len(self._all) < self._limit:
            self._send(self._connection(), asked)
        else:
            self._waiting.append(asked)

    def close(self) -> None:
        """Close all connections."""
        self._sweeper.cancel()
        for connection in self._all:
            connection.close()
        self._all.clear()

    def settled(self, connection: Connection, asked: Asked, reason: str) -> None:
        """See `Owner`."""
        self._note(asked, reason)
        if connection.open:
            if self._waiting:
                self._send(connection, self._waiting.popleft())
            else:
                self._idle.append(connection)
        else:
            self._replace(connection)
        self._settled(not reason)

    def again(self, connection: Connection, asked: Asked) -> None:
        """See `Owner`."""
        self.tallies[asked.kind].retried += 1
        self._all.discard(connection)
        self._send(self._connection(), asked)

    def closed(self, connection: Connection) -> None:
        """See `Owner`."""
        self._all.discard(connection)
        self._idle.remove(connection)

    def _replace(self, gone: Connection) -> None:
        self._all.discard(gone)
        if self._waiting:
            self._send(self._connection(), self._waiting.popleft())

    def _connection(self) -> Connection:
        connection = Connection(self, self._loop)
        self._all.add(connection)
        self.opened += 1
        return connection

    def _send(self, connection: Connection, asked: Asked) -> None:
        if not asked.retried:
            asked.sent = self._loop.time()
        connection.ask(asked)

    def _note(self, asked: Asked, reason: str) -> None:
        tally = self.tallies[asked.kind]
        if reason:
            tally.reasons[reason] += 1
            return
        now = self._loop.time()
        tally.latencies.append(now - asked.intended)
        tally.services.append(now - asked.sent)

    def _sweep(self) -> None:
        """End what has waited too long; one timer for all."""
        self._sweeper = self._loop.call_later(SWEEP, self._sweep)
        oldest = self._loop.time() - self._patience
        for connection in list(self._all):
            if connection.asked is not None and connection.asked.intended < oldest:
                connection.give_up(f"no answer in {self._patience:g} s")
        while self._waiting and self._waiting[0].intended < oldest:
            self._note(self._waiting.popleft(), f"not sent in {self._patience:g} s")
            self._settled(False)
