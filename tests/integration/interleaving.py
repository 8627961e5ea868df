"""A database that notices when two processes share a connection.

Runs in: tests, in threads.

A question is two lines, ``PID first`` and ``PID second``, as a driver may need
more than one write for it; the answer is ``PID``.  Lines of another process on
the same connection, or between the two, are what corrupts data in real life.
"""

from __future__ import annotations

import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator


class Database(socketserver.ThreadingTCPServer):
    """Listens on a port of its own.

    :ivar users: the pids seen on each connection, in order of connecting.
    :ivar interleaved: pairs of pids: whose question was open, who spoke.
    :ivar heard: each line, as it came.
    """

    daemon_threads = False
    block_on_close = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Talk)
        self.port: int = self.server_address[1]
        self.users: list[set[int]] = []
        self.interleaved: list[tuple[int, int]] = []
        self.heard: list[str] = []


class Talk(socketserver.StreamRequestHandler):
    """One connection."""

    def handle(self) -> None:
        database = cast("Database", self.server)
        users: set[int] = set()
        database.users.append(users)
        asking = 0
        for line in self.rfile:
            pid, part = int(line.split()[0]), line.split()[1]
            users.add(pid)
            if asking not in (0, pid):
                database.interleaved.append((asking, pid))
            asking = pid if part == b"first" else 0
            database.heard.append(line.decode().strip())
            if part == b"second":
                self.wfile.write(b"%d\n" % pid)


@contextmanager
def running_database() -> Iterator[Database]:
    """Until all that have connected have left."""
    with Database() as database:
        thread = threading.Thread(target=database.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield database
        finally:
            database.shutdown()
            thread.join()
