"""Read requests from a session's connection.

Runs in: workers.
"""

from __future__ import annotations

import array
import os
import socket
from io import BytesIO
from typing import BinaryIO, Dict, List, Optional, Tuple

from passtwist.errors import BadFrame
from passtwist.wire.frames import HEADER, HEADER_SIZE, MAX_SESSION_PAYLOAD, FrameReader
from passtwist.wire.session import (
    AHEAD,
    BODY,
    BODY_FILE,
    END,
    LAST,
    START,
    STREAMED,
    decode_body_file,
    decode_request_start,
)
from passtwist.worker.streamed import StreamedInput

# A request of ordinary size arrives in one piece of this; a larger buffer
# costs more to make than a second read.
RECEIVE_SIZE = 16 * 1024
_DESCRIPTORS = 4
_ANCILLARY = socket.CMSG_SPACE(_DESCRIPTORS * array.array("i").itemsize)

_unpack_header = HEADER.unpack_from


# One request, arrived whole: its number, the CGI variables, the body.  A plain
# tuple: one is made and taken apart again for every request.
Request = Tuple[int, Dict[str, str], BinaryIO]


class RequestReader:
    """Reads the requests of one connection, one after the other.

    :ivar ahead: a descriptor for those that are sent ahead, that came behind a
        request or in place of one; -1 for none.
    :ivar is_over: nothing more is to be read: what came could not be understood.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._receive = connection.recvmsg
        self._streamed: Optional[StreamedInput] = None
        self.ahead = -1
        self.is_over = False

    def read(self) -> Optional[Request]:
        """The next request, or None when the connection has ended, or when
        `ahead` came in place of a request.

        One that ends in the middle of a request also answers None: nothing of
        it was begun, so the controller gives it to another worker.

        :raises BadFrame: the other end does not follow the protocol.
        :raises FrameTooLarge: the same.
        """
        if self._streamed is not None and not self._drain(self._streamed):
            return None
        data, ancillary, _, _ = self._receive(
            RECEIVE_SIZE, _ANCILLARY, socket.MSG_CMSG_CLOEXEC
        )
        if not ancillary:
            request = _parse(data)
            if request is not None:
                return request
        return self._read_pieces(data, ancillary)

    def whole(self, data: bytes) -> Request:
        """The request that *data* is.

        :raises BadFrame: it is none, or not all of one.
        """
        request = _parse(data)
        if request is None:
            raise BadFrame("a request that was sent ahead is not whole")
        return request

    def take_ahead(self) -> int:
        """The descriptor `ahead`, which is the caller's from now on."""
        descriptor, self.ahead = self.ahead, -1
        return descriptor

    def _read_pieces(
        self, data: bytes, ancillary: List[Tuple[int, int, bytes]]
    ) -> Optional[Request]:
        frames = FrameReader(MAX_SESSION_PAYLOAD)
        message = _Pieces()
        try:
            while data:
                message.descriptors.extend(_descriptors(ancillary))
                for kind, flags, payload in frames.feed(data):
                    if kind != AHEAD:
                        message.add(kind, flags, payload)
                    elif message.descriptors:
                        # The last that has come: a read ends behind a descriptor.
                        self.ahead = message.descriptors.pop()
                    else:
                        # This process may have no more: nothing that is sent there
                        # would be found.  What has come is answered.
                        self.is_over = True
                if not message.has_begun and (self.ahead >= 0 or self.is_over):
                    return None
                if message.is_complete:
                    if frames.pending:
                        raise BadFrame("bytes behind the end of a request")
                    return self._begin(message)
                data, ancillary, _, _ = self._receive(
                    RECEIVE_SIZE, _ANCILLARY, socket.MSG_CMSG_CLOEXEC
                )
            return None
        finally:
            message.close()

    def _begin(self, message: _Pieces) -> Request:
        if not message.is_streamed:
            return message.request()
        number, environ, _ = message.request()
        self._streamed = streamed = StreamedInput(self._connection)
        return number, environ, streamed

    def _drain(self, streamed: StreamedInput) -> bool:
        self._streamed = None
        return streamed.body.drain()


def _parse(data: bytes) -> Optional[Request]:
    """The request that *data* is, if it is a small one and nothing else."""
    if len(data) < HEADER_SIZE:
        return None
    kind, flags, length = _unpack_header(data)
    end = HEADER_SIZE + length
    if kind != START or end > len(data):
        return None
    if flags == LAST:
        if len(data) == end:
            number, environ = decode_request_start(data[HEADER_SIZE:])
            return number, environ, BytesIO()
    elif len(data) >= end + HEADER_SIZE:
        kind, flags, length = _unpack_header(data, end)
        body = end + HEADER_SIZE
        if kind == BODY and flags & LAST and len(data) == body + length:
            number, environ = decode_request_start(data[HEADER_SIZE:end])
            return number, environ, BytesIO(data[body:])
    return None


class _Pieces:
    """The frames of one request, until it is complete."""

    def __init__(self) -> None:
        self.descriptors: List[int] = []
        self.is_complete = False
        self.is_streamed = False
        self._start: Optional[Tuple[int, Dict[str, str]]] = None
        self._body: List[bytes] = []
        self._file_length: Optional[int] = None

    @property
    def has_begun(self) -> bool:
        return self._start is not None

    def add(self, kind: int, flags: int, payload: bytes) -> None:
        if self.is_complete or (kind == START) != (self._start is None):
            raise BadFrame("frame of type %d in the wrong place" % kind)
        if kind == START:
            self._start = decode_request_start(payload)
            self.is_streamed = bool(flags & STREAMED)
        elif kind == BODY:
            self._body.append(payload)
        elif kind == BODY_FILE:
            self._file_length = decode_body_file(payload)
        elif kind != END:
            raise BadFrame("frame of type %d in a request" % kind)
        self.is_complete = kind == END or bool(flags & LAST)

    def request(self) -> Request:
        if self._start is None:
            raise BadFrame("a request without START")
        number, environ = self._start
        if self._file_length is None:
            return number, environ, BytesIO(b"".join(self._body))
        if self._body or len(self.descriptors) != 1:
            raise BadFrame("BODY_FILE with %d descriptors" % len(self.descriptors))
        descriptor = self.descriptors.pop()
        if os.fstat(descriptor).st_size != self._file_length:
            os.close(descriptor)
            raise BadFrame("BODY_FILE of another length than announced")
        # The offset is the controller's too; only its place at 0 is agreed on.
        os.lseek(descriptor, 0, os.SEEK_SET)
        return number, environ, open(descriptor, "rb")

    def close(self) -> None:
        while self.descriptors:
            os.close(self.descriptors.pop())


def _descriptors(ancillary: List[Tuple[int, int, bytes]]) -> List[int]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return list(found)
