"""One client of a storm: a connection, and the request that it waits for.

Runs in: tests.
"""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)


def filler(name: str, size: int) -> bytes:
    """So many bytes, which only the body of that request has."""
    word = f"{name} ".encode()
    return (word * (size // len(word) + 1))[:size]


@dataclass
class Request:
    """What is asked for.

    :ivar name: differs from that of all others.
    :ivar size: bytes that the answer has beside its first line.
    :ivar promised: the oldest version of the code that may answer.
    :ivar again: it has met a connection that was being closed.
    """

    name: str
    method: str
    size: int
    upload: int
    wait: int
    promised: int
    again: bool = False

    def encoded(self) -> bytes:
        """As it goes over the wire."""
        head = (
            f"{self.method} /?name={self.name}&size={self.size}&wait={self.wait}"
            f"&upload={self.upload} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        )
        if self.method == "GET":
            return head.encode() + b"\r\n"
        head += f"Content-Length: {self.upload}\r\n\r\n"
        return head.encode() + filler(self.name, self.upload)

    def version_in(self, body: bytes) -> int | None:
        """Which version of the code has answered; None: it was asked otherwise."""
        line, end, rest = body.partition(b"\n")
        words = line.split()
        if len(words) != 3 or words[0] != self.name.encode():
            return None
        if not end or rest != filler(self.name, self.size):
            return None
        return int(words[1])


@dataclass(frozen=True)
class Answer:
    """A response, read whole.

    :ivar closing: the server says that it closes the connection.
    """

    status: int
    body: bytes
    closing: bool


class Lost(Exception):
    """The server has closed the connection.

    :ivar used: it had answered on it before.
    :ivar begun: within an answer.
    """

    def __init__(self, used: bool, begun: bool) -> None:
        self.used = used
        self.begun = begun


class Client:
    """A kept connection; says what is to be done, and waits for nothing.

    :ivar request: what it waits for, None: nothing.
    :ivar since: since when (monotonic seconds).
    """

    socket: socket.socket

    def __init__(self, number: int) -> None:
        self.request: Request | None = None
        self.since = 0.0
        self.connected = False
        self._number = number
        self._asked = 0
        self._answered = 0  # on this connection
        self._out = b""
        self._in = bytearray()

    def ask(
        self, method: str, size: int, upload: int, wait: int, promised: int
    ) -> None:
        """The next request; `write` sends it."""
        self._asked += 1
        name = f"{self._number}-{self._asked}"
        self.request = Request(name, method, size, upload, wait, promised)
        self.since = time.monotonic()
        self.rewind()

    def rewind(self) -> None:
        """Send the request from its beginning."""
        assert self.request is not None
        self._out = self.request.encoded()

    def connect(self, port: int) -> bool:
        """Whether there is a new connection now; there may be an old one.

        :raises OSError: there is none.
        """
        if self.connected:
            return False
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.connected = True
        self._answered = 0
        self._in.clear()
        return True

    def write(self) -> bool:
        """Send what can be sent; whether that was all."""
        try:
            self._out = self._out[self.socket.send(self._out) :]
        except BlockingIOError:
            pass
        except OSError:
            # The connection is closed; what came before that has still to be read.
            self._out = b""
        return not self._out

    def read(self) -> Answer | None:
        """The answer, when it is whole.

        :raises Lost: the connection is closed.
        """
        try:
            data = self.socket.recv(262_144)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if not data or self.request is None:
            raise Lost(self._answered > 0, bool(self._in or data))
        self._in += data
        end = self._in.find(b"\r\n\r\n") + 4
        if end < 4:
            return None
        head = bytes(self._in[: end - 2])
        length = _LENGTH.search(head)
        whole = end + int(length[1] if length else 0)
        if len(self._in) < whole:
            return None
        # What is more than the answer is part of its body, which then is wrong.
        answer = Answer(
            int(head[9:12]), bytes(self._in[end:]), bool(_CLOSE.search(head))
        )
        self._in.clear()
        self._answered += 1
        return answer

    def close(self) -> None:
        """End the connection, if there is one."""
        if self.connected:
            self.socket.close()
            self.connected = False
