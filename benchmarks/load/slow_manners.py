"""How clients are slow, one small step at a time; nothing here waits."""

from __future__ import annotations

import os
import socket
from collections import Counter
from dataclasses import dataclass

from benchmarks.load.open_loop_answer import Answer, BadAnswer


@dataclass(frozen=True)
class Manner:
    """One way to be slow.

    :ivar opening: sent at once; `{host}` and `{prefix}` are filled in.
    :ivar drip: bytes sent in each step after it.
    :ivar size: bytes of all drips together; 0: the request never ends.
    :ivar sip: bytes read in each step.
    """

    opening: str
    drip: int = 0
    size: int = 0
    sip: int = 4096


UPLOAD = 1 << 20

# Bytes of data in a packet.
ETHERNET = 1448

MANNERS = {
    "head": Manner("GET {prefix}/ HTTP/1.1\r\nHost: {host}\r\nX-Slow: ", drip=1),
    "upload": Manner(
        "POST {prefix}/upload HTTP/1.1\r\nHost: {host}\r\n"
        "Content-Type: application/octet-stream\r\n"
        f"Content-Length: {UPLOAD}\r\n\r\n",
        drip=512,
        size=UPLOAD,
    ),
    "reader": Manner("GET {prefix}/mebibyte HTTP/1.1\r\nHost: {host}\r\n\r\n"),
}


class SlowClient:
    """One connection after the other; a new one in the step after the end.

    :ivar begun: it is being slow: it has sent its opening, and a reader has the
        first bytes of its answer.
    :ivar dripped: bytes sent after the opening.
    :ivar finished: requests that were made and answered whole.
    :ivar ended: connections that the server ended or refused, by reason.
    """

    def __init__(
        self, manner: Manner, address: tuple[str, int], host: str, prefix: str
    ) -> None:
        self.begun = False
        self.finished = 0
        self.ended: Counter[str] = Counter()
        self._manner = manner
        self._opening = manner.opening.format(host=host, prefix=prefix).encode()
        self._drip = b"s" * manner.drip
        self._address = address
        self._socket: socket.socket | None = None
        self._opened = False
        self.dripped = 0
        self._answer = Answer()

    def step(self) -> None:
        """Connect, or send and read a little."""
        try:
            if self._socket is None:
                self._socket = self._connect()
            self._send(self._socket)
            self._receive(self._socket)
        except OSError as error:
            self._end(os.strerror(error.errno or 0).lower())
        except BadAnswer as error:
            self._end(f"bad answer: {error}")

    def close(self) -> None:
        """Leave the server alone."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self) -> socket.socket:
        connection = socket.socket()
        connection.setblocking(False)
        # Both before connecting.  With the loopback's own packets of 64 KiB the
        # server's kernel would buffer more than a mebibyte, and nobody would notice
        # a slow reader; a network's packets let it buffer a tenth of that.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, ETHERNET)
        if not self._manner.drip:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._opened = False
        self.dripped = 0
        self._answer = Answer()
        try:
            connection.connect(self._address)
        except BlockingIOError:
            pass
        except OSError:
            connection.close()
            raise
        return connection

    def _send(self, connection: socket.socket) -> None:
        try:
            if not self._opened:
                # Some hundred bytes into an empty buffer: all or nothing.
                connection.send(self._opening)
                self._opened = True
                self.begun = self.begun or bool(self._drip)
            elif self._drip:
                rest = self._manner.size - self.dripped if self._manner.size else None
                self.dripped += connection.send(self._drip[:rest])
        except BlockingIOError:
            # Not connected yet, or the server does not read.
            return

    def _receive(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(self._manner.sip)
        except BlockingIOError:
            return
        if not data:
            self._end("closed")
            return
        self.begun = True
        complete = self._answer.feed(data)
        if self._answer.status not in (0, 200):
            self._end(f"status {self._answer.status}")
        elif complete:
            self.finished += 1
            self.close()

    def _end(self, reason: str) -> None:
        self.ended[reason] += 1
        self.close()
