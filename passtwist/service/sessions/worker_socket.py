"""A socket to a worker: connects, and sends what the kernel takes now or later.

Runs in: the controller.  No Twisted transport: its Unix transport goes through recvmsg
and a write buffer, which costs more than the rest of a request.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from passtwist.api.selectable import Selectable

if TYPE_CHECKING:
    from passtwist.api.reactors import Reactor


def connected(path: str) -> socket.socket:
    """A non-blocking stream socket, connected to who listens at *path*.

    A Unix connect is done at once or refused.

    :raises OSError: nobody listens there any more; BlockingIOError: as many as it
        has room for wait already, which are more than we ever open to a worker of ours.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.setblocking(False)
    try:
        made.connect(path)
    except OSError:
        made.close()
        raise
    return made


class WorkerSocket(Selectable):
    """Connects at once.

    :raises OSError: as `connected`.
    """

    def __init__(self, reactor: Reactor, path: str) -> None:
        self._socket = connected(path)
        super().__init__(reactor, self._socket.fileno())
        self._unsent = b""
        self._recv = self._socket.recv
        self._send_now = self._socket.send

    def doWrite(self) -> None:
        """What did not fit the socket's buffer before."""
        unsent, self._unsent = self._unsent, b""
        self._reactor.removeWriter(self)
        self._send(unsent)
        if not self._unsent:
            self._sent_all()

    def _sent_all(self) -> None:
        """What had to wait is on its way."""

    def _send(self, data: bytes) -> None:
        if self._unsent:
            self._unsent += data
            return
        try:
            sent = self._send_now(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            # It is gone; end-of-file tells what became of the session.
            return
        if sent < len(data):
            self._unsent = data[sent:]
            self._reactor.addWriter(self)

    def _send_with(self, data: bytes, descriptor: int) -> bool:
        """Send *data* with a descriptor; nothing is unsent at that point.

        :returns: False when there is no memory for the message.
        """
        try:
            sent = socket.send_fds(self._socket, [data], [descriptor])
        except BlockingIOError:
            return False  # the buffer of an idle connection is empty: it is not that
        except OSError:
            return True  # as above
        if sent < len(data):
            self._unsent = data[sent:]
            self._reactor.addWriter(self)
        return True
