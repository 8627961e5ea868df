"""Where the requests of one connection come from.

Runs in: workers.

From the connection, or, sent ahead while the one before was being answered, from a
second way that the controller has opened (see `passtwist.wire.session`).  A request
that lies there may be taken back by the controller at any time before it is read.
"""

from __future__ import annotations

import os
import socket
from select import POLLIN, poll
from typing import Optional

from passtwist.wire.session import MAX_AHEAD
from passtwist.worker.requests import Request, RequestReader


class Arrivals:
    """The requests of *connection*, one after the other."""

    def __init__(self, connection: socket.socket) -> None:
        self._reader = RequestReader(connection)
        self._ahead: Optional[socket.socket] = None
        self._ahead_number = -1
        # Waiting in poll() and not in the reading: who sleeps there is also woken
        # when the controller takes the answer and so makes room to write (Linux's
        # unix_write_space), twice for each request instead of once.
        self._poll = poll()
        self._poll.register(connection, POLLIN)
        self._connection = poll()
        self._connection.register(connection, POLLIN)

    def next(self) -> Optional[Request]:
        """The next request, or None when the connection has ended.

        :raises WireError: the other end does not follow the protocol.
        """
        while not self._reader.is_over:
            ready = self._poll.poll()
            # The connection first: what came there was sent first, and when it has
            # ended nothing is to be begun.  poll() looks at one after the other, and
            # both may have come in between: so it is looked at once more.
            if (
                len(ready) == 1
                and ready[0][0] == self._ahead_number
                and not self._connection.poll(0)
            ):
                request = self._take()
                if request is not None:
                    return request
            else:
                request = self._reader.read()
                if self._reader.ahead < 0:
                    return request
                self._open(self._reader.take_ahead())
                if request is not None:
                    return request
        return None

    def close(self) -> None:
        """Close what was opened here; the connection is not ours."""
        if self._reader.ahead >= 0:
            os.close(self._reader.take_ahead())
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            self._poll.unregister(self._ahead_number)
            self._ahead_number = -1
            try:
                ahead.close()
            except OSError:
                pass  # the app has closed it

    def _open(self, descriptor: int) -> None:
        self.close()  # of a way before this one
        self._ahead = socket.socket(fileno=descriptor)
        self._ahead.setblocking(False)
        self._ahead_number = descriptor
        self._poll.register(descriptor, POLLIN)

    def _take(self) -> Optional[Request]:
        if self._ahead is None:
            return None
        try:
            data = self._ahead.recv(MAX_AHEAD)
        except BlockingIOError:
            return None  # taken back
        if not data:
            self.close()
            return None
        return self._reader.whole(data)
