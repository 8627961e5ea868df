"""The controller's end of the control channel to the spawn manager.

Runs in: the controller.  Messages are those of `passtwist.wire.control`.
"""

from __future__ import annotations

import array
import socket
from collections import deque
from typing import TYPE_CHECKING

from twisted.logger import Logger

from passtwist.api.selectable import Selectable
from passtwist.errors import WireError
from passtwist.spawning.descriptors import duplicate
from passtwist.wire.control import Message, MessageReader, encode_message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from passtwist.api.reactors import Reactor


class ControlChannel(Selectable):
    """Sends messages with descriptors; reads messages without.

    :param on_message: told of each message that comes.
    :param on_lost: told once when the other end is gone.
    """

    log = Logger(namespace="passtwist.spawning")

    def __init__(
        self,
        reactor: Reactor,
        end: socket.socket,
        on_message: Callable[[Message], None],
        on_lost: Callable[[], None],
    ) -> None:
        super().__init__(reactor, end.fileno())
        self._socket = end
        self._on_message = on_message
        self._on_lost: Callable[[], None] | None = on_lost
        self._reader = MessageReader()
        self._queue: deque[tuple[memoryview, list[int]]] = deque()
        reactor.addReader(self)

    def send(
        self, kind: str, body: Mapping[str, object], fds: Mapping[str, int]
    ) -> bool:
        """Send a message; the descriptors are duplicated, the caller keeps its own.

        :returns: false when the other end is gone, which `on_lost` tells too.
        :raises OSError: out of descriptors; nothing was sent.
        """
        if self._descriptor < 0:
            return False
        data = encode_message(kind, body, list(fds))
        copies = list(duplicate(fds).values())
        self._queue.append((memoryview(data), copies))
        self._flush()
        return self._descriptor >= 0

    def close(self) -> None:
        """Close our end; the manager leaves at end-of-file.  Tells nobody."""
        self._on_lost = None
        self._shut()

    def doRead(self) -> None:
        """Hand on what has come."""
        if self._descriptor < 0:
            return
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end()
            return
        try:
            messages = self._reader.feed(data)
        except WireError as error:
            self.log.error("spawn manager: {error}", error=error)
            self._end()
            return
        for message in messages:
            self._on_message(message)

    def doWrite(self) -> None:
        """Send what is queued."""
        self._flush()

    def _end(self) -> None:
        on_lost, self._on_lost = self._on_lost, None
        self._shut()
        if on_lost is not None:
            on_lost()

    def _flush(self) -> None:
        while self._queue:
            data, fds = self._queue[0]
            rights = array.array("i", fds)
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if fds else []
            try:
                sent = self._socket.sendmsg([data], ancillary)
            except BlockingIOError:
                self._reactor.addWriter(self)
                return
            except OSError:
                self._end()
                return
            for fd in fds:
                socket.close(fd)
            if sent < len(data):
                self._queue[0] = (data[sent:], [])
            else:
                self._queue.popleft()
        self._reactor.removeWriter(self)

    def _drop_queue(self) -> None:
        while self._queue:
            for fd in self._queue.popleft()[1]:
                socket.close(fd)

    def _shut(self) -> None:
        if self._descriptor < 0:
            return
        self.unwatch()
        self._descriptor = -1
        self._drop_queue()
        self._socket.close()
