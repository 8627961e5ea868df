"""``wsgi.input`` of a request whose body comes while the app runs.

Runs in: workers.

The controller sends nothing before the app reads, and then as much as fits into the
socket: an app that does not read holds its client back.
"""

from __future__ import annotations

import socket
import threading
from io import BufferedReader, RawIOBase
from typing import Any, List, Sequence

from passtwist.errors import BadFrame
from passtwist.wire.frames import HEADER, HEADER_SIZE, encode_frame
from passtwist.wire.session import BODY, END, FAIL, LAST, WANT

BUFFER_SIZE = 64 * 1024

_WANT = encode_frame(WANT)


class ClientLeft(ConnectionResetError):
    """Raised to an app that reads a body which will not be complete."""


class OneAtATime:
    """A connection on which several threads may send: an app may read in one and
    answer in another.

    The first read sends something, too, and that must not get into the middle of
    a piece of the response.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def sendall(self, data: Any) -> None:  # anything with a buffer, as a socket's
        with self._lock:
            self._connection.sendall(data)

    def sendmsg(self, pieces: Sequence[Any]) -> int:  # the same
        """All of *pieces*, whatever comes in between."""
        size = 0
        with self._lock:
            size = sent = self._connection.sendmsg(pieces)
            for piece in pieces:
                if sent < len(piece):
                    self._connection.sendall(memoryview(piece)[sent:])
                    size += len(piece) - sent
                sent = max(0, sent - len(piece))
        return size


class StreamedBody(RawIOBase):
    """Reads the frames of one body; an app sees it behind a `BufferedReader`.

    :ivar client_left: it ended before it was complete.
    """

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection
        self.sender = OneAtATime(connection)
        self.client_left = False
        self._is_lost = False  # the connection is broken
        self._is_wanted = False
        self._is_over = False
        self._left = 0  # of the frame that is being read
        self._is_last = False  # that frame

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # what collections.abc.Buffer is
        """Wait for the next bytes; 0 at the end.

        :raises ClientLeft: the client went away before the end.
        """
        if not self._is_wanted:
            self._is_wanted = True
            self._ask()
        while not (self._left or self._is_over):
            self._read_header()
        size = 0
        if self._left:
            view = memoryview(buffer).cast("B")[: self._left]
            size = self._receive(view)
            self._left -= size
            if self._is_last and not self._left:
                self._is_over = True
        if self.client_left:
            raise ClientLeft(
                "the client went away before its request's body was complete"
            )
        return size

    def readall(self) -> bytes:
        """Everything up to the end, in larger pieces than the base class would.

        :raises ClientLeft: as `readinto`.
        """
        pieces: List[bytes] = []
        buffer = bytearray(BUFFER_SIZE)
        while True:
            size = self.readinto(buffer)
            if not size:
                return b"".join(pieces)
            pieces.append(bytes(memoryview(buffer)[:size]))

    def drain(self) -> bool:
        """Read to the end what the app has not; False when the connection ended.

        The controller sends no more once it has the whole response: either all of
        the body is on its way already, or it closes the connection.
        """
        if self._is_wanted:
            scratch = bytearray(BUFFER_SIZE)
            try:
                while self.readinto(scratch):
                    pass
            except ClientLeft:
                pass  # whether the connection is broken, too, is known
        return not self._is_lost

    def _ask(self) -> None:
        try:
            self.sender.sendall(_WANT)
        except OSError:
            self._lose()

    def _read_header(self) -> None:
        # No more than that: behind the body may come the next request.
        header = bytearray(HEADER_SIZE)
        done = 0
        while done < HEADER_SIZE:
            size = self._receive(memoryview(header)[done:])
            if not size:
                return
            done += size
        kind, flags, self._left = HEADER.unpack(header)
        self._is_last = bool(flags & LAST)
        if kind == FAIL:
            self._is_over = self.client_left = True
        elif kind == END:
            self._is_over = True
        elif kind == BODY:
            self._is_over = self._is_last and not self._left
        else:
            self._lose()
            raise BadFrame("frame of type %d in a streamed body" % kind)

    def _receive(self, view: memoryview) -> int:
        try:
            size = self._connection.recv_into(view)
        except OSError:
            size = 0
        if not size:
            self._lose()
        return size

    def _lose(self) -> None:
        self._is_lost = self._is_over = self.client_left = True
        self._left = 0


class StreamedInput(BufferedReader):
    """The ``wsgi.input`` of a streamed request."""

    def __init__(self, connection: socket.socket) -> None:
        self.body = StreamedBody(connection)
        super().__init__(self.body, BUFFER_SIZE)
