"""A control channel between two layers, with descriptors.

Runs in: the manager and spawners.  Messages: `passtwist.wire.control`.
Never waits, in either direction: a child that does not read must not hold
the layer above it.
"""

from __future__ import annotations

import array
import errno
import os
import select
import socket
from collections import deque
from typing import Any, Deque, Dict, List, Mapping, Optional, Tuple

from passtwist.errors import BadFrame, WireError
from passtwist.wire.control import (
    MAX_DESCRIPTORS,
    Message,
    MessageReader,
    encode_message,
)

RECEIVE_SIZE = 64 * 1024
# Spawns of one layer that wait for it to read; the pool's own caps are lower.
MAX_QUEUED = 64

_INT_SIZE = array.array("i").itemsize
_ANCILLARY = socket.CMSG_SPACE(MAX_DESCRIPTORS * _INT_SIZE)

Arrival = Tuple[Message, Dict[str, int]]


class Channel:
    """One end.

    :param end: a connected SOCK_STREAM socket; closed with the channel.
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        self._reader = MessageReader()
        self._received: Deque[int] = deque()
        self._queue: Deque[Tuple[memoryview, List[int]]] = deque()

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    @property
    def wants_write(self) -> bool:
        """Something is queued."""
        return bool(self._queue)

    @property
    def is_full(self) -> bool:
        """The other end has not read for long; send nothing more for now."""
        return len(self._queue) >= MAX_QUEUED

    @property
    def is_abandoned(self) -> bool:
        """The other end is closed, whatever there still is to receive."""
        poll = select.poll()
        poll.register(self._socket, 0)  # for POLLHUP, which always counts
        return bool(poll.poll(0))

    def send(
        self, kind: str, body: Mapping[str, Any], fds: Optional[Dict[str, int]] = None
    ) -> None:
        """Queue a message and send what goes without waiting.

        :param fds: closed when they are sent, or when the channel is.
        """
        fds = fds or {}
        data = encode_message(kind, body, tuple(fds))
        self._queue.append((memoryview(data), list(fds.values())))
        self.flush()

    def flush(self) -> None:
        """Send what goes without waiting.  A broken channel is seen by `receive`."""
        while self._queue:
            data, fds = self._queue[0]
            rights = array.array("i", fds)
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if fds else []
            try:
                sent = self._socket.sendmsg([data], ancillary, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            except OSError as error:
                self._drop(1 if error.errno == errno.ETOOMANYREFS else MAX_QUEUED)
                continue
            _close(fds)
            if sent < len(data):
                self._queue[0] = (data[sent:], [])
            else:
                self._queue.popleft()

    def receive(self) -> Optional[List[Arrival]]:
        """Messages that have come, each with its descriptors by name.

        :returns: None when the other end is gone or speaks nonsense.
        """
        arrivals: Optional[List[Arrival]] = []
        while arrivals == []:
            try:
                data, ancillary, flags, _ = self._socket.recvmsg(
                    RECEIVE_SIZE, _ANCILLARY, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                break
            except OSError:
                return None
            self._keep(ancillary)
            if not data or flags & socket.MSG_CTRUNC:
                return None
            arrivals = self._read(data)
        return arrivals

    def _read(self, data: bytes) -> Optional[List[Arrival]]:
        arrivals: List[Arrival] = []
        try:
            for message in self._reader.feed(data):
                # One by one: what came before a bad one has descriptors to close.
                arrivals.append((message, self._take(message)))  # noqa: PERF401 - see above
        except WireError:
            for _, descriptors in arrivals:
                _close(descriptors.values())
            return None
        return arrivals

    def close(self) -> None:
        """Close this end, and every descriptor that was to be passed."""
        self._drop(len(self._queue))
        _close(self._received)
        self._received.clear()
        self._socket.close()

    def _keep(self, ancillary: List[Tuple[int, int, bytes]]) -> None:
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                whole = len(data) - len(data) % _INT_SIZE
                found = array.array("i")
                found.frombytes(data[:whole])
                self._received.extend(found)

    def _take(self, message: Message) -> Dict[str, int]:
        # The kernel hands descriptors over with the first byte of the write
        # that carried them, so they are never later than their message.
        if len(self._received) < len(message.fds) or len(set(message.fds)) != len(
            message.fds
        ):
            raise BadFrame("a message without its descriptors")
        return {name: self._received.popleft() for name in message.fds}

    def _drop(self, count: int) -> None:
        for _ in range(min(count, len(self._queue))):
            _close(self._queue.popleft()[1])


def _close(descriptors: Any) -> None:
    for descriptor in descriptors:
        try:
            os.close(descriptor)
        except OSError:
            pass  # closed behind our back; nothing more to release


close_all = _close
