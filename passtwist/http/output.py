"""What goes out to one client, at the client's pace and not the worker's.

Runs in: the controller.

While the client keeps up, bytes go to the kernel at once.  When it does not,
they wait: in memory, then in an unlinked file, and only when that is full does
the owner have to hold back the worker.  Before the file it is held for a moment:
most clients that are behind are only a little slower than their app.

On a plain socket this is a pull producer: Twisted is given a small piece and
asks for more when the kernel has taken it, which is how writability is learnt
and how progress is seen byte by byte.  Any other transport (TLS, wrappers) has
a buffer of its own; there this is a push producer.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet import tcp
from twisted.internet.interfaces import IPullProducer, IPushProducer
from zope.interface import implementer

from passtwist.http.spool_queue import SpoolQueue

if TYPE_CHECKING:
    import socket

    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from passtwist.http.buffer_space import BufferSpace
    from passtwist.http.config import HttpLimits

# So much in one turn of the reactor; then it is somebody else's.
_TURN = 1 << 20
_PIECE = 128 * 1024
# So long the worker is held when the memory is full, before a file is used: that
# costs more than a quick client needs to take it all.
PATIENCE = 0.01
# Handed to the transport to learn when the socket is writable again.
_SENTINEL = 1024


class OutputOwner(Protocol):
    """Who is told how it goes."""

    def output_drained(self) -> None:
        """Everything was taken."""

    def output_waits(self) -> None:
        """Bytes wait; said when it begins, and perhaps once more meanwhile."""

    def output_full(self) -> None:
        """Write no more until `output_roomy` or `output_drained`."""

    def output_roomy(self) -> None:
        """Write on."""

    def output_suffers(self, reason: str) -> None:
        """Something is short that a response needs; it is worth a line in the log."""

    def output_lost(self) -> None:
        """The connection is broken, or its response can't be completed."""


def is_plain_socket(transport: object) -> bool:
    """May bytes be sent past the transport's buffer?

    Asked by class: a wrapper like Twisted's TLS hands every attribute of the
    transport below through, and a write past it would not be encrypted.
    """
    return isinstance(transport, tcp.Connection) and not transport.TLS


@implementer(IPullProducer, IPushProducer)
class Output:
    """The outgoing half of one connection.

    :ivar waiting: bytes wait for the client.
    :ivar handed: bytes handed to the transport since some had to wait at first.
    """

    __slots__ = (
        "_clock",
        "_folder",
        "_full",
        "_memory",
        "_memory_limit",
        "_overflow",
        "_owner",
        "_patience",
        "_paused",
        "_plain",
        "_queue",
        "_registered",
        "_send",
        "_socket",
        "_space",
        "_spool",
        "_spool_limit",
        "_transport",
        "handed",
        "waiting",
    )

    def __init__(
        self,
        transport: Any,  # no interface has both IConsumer and writeSomeData
        owner: OutputOwner,
        limits: HttpLimits,
        folder: str,
        space: BufferSpace,
        clock: IReactorTime,
    ) -> None:
        self._clock = clock
        self._transport = transport
        self._owner = owner
        self._memory_limit = limits.response_memory
        self._spool_limit = limits.response_spool
        self._folder = folder
        self._space = space
        self._queue: deque[bytes | memoryview] = deque()
        self._memory = 0
        self._spool: SpoolQueue | None = None
        self._overflow: deque[bytes | memoryview] = deque()
        self._full = False
        self._patience: IDelayedCall | None = None
        self._paused = False
        self.waiting = False
        self.handed = 0
        self._plain = is_plain_socket(transport)
        if self._plain:
            self._socket: socket.socket = transport.getHandle()
            self._send = self._send_now
        else:
            self._send = self._hand_over
            transport.registerProducer(self, True)
        self._registered = not self._plain

    def owned_by(self, owner: OutputOwner) -> None:
        """From now on *owner* is told how it goes."""
        self._owner = owner

    def write(self, data: bytes | memoryview) -> None:
        """Send *data* now, or keep a copy of it until the client takes more."""
        if self.waiting:
            # An empty piece would look like a client that takes nothing.
            if data:
                self._put(data)
            return
        sent = self._send(data)
        if sent == len(data):
            return
        if sent < 0:
            self._owner.output_lost()
            return
        self._put(memoryview(data)[sent:])
        self.waiting = True
        self._owner.output_waits()
        if self._plain:
            # Calls resumeProducing at once.
            self._transport.registerProducer(self, False)
        else:
            self._flush()

    def send_file(self, descriptor: int, offset: int, size: int) -> int:
        """Have the kernel send a piece of a file now, past us.

        :returns: how much of it went out.  0 when the piece has to be read and
            written instead, for whatever reason; `write` finds out which.
        """
        if self.waiting or not self._plain:
            return 0
        try:
            return os.sendfile(self._socket.fileno(), descriptor, offset, size)
        except OSError:
            return 0

    def close(self) -> None:
        """The connection is gone: give back what is held."""
        self._queue.clear()
        self._count(-self._memory)
        self._overflow.clear()
        self._rest()

    def detach(self) -> None:
        """Everything is written: let the transport close without asking us."""
        if self._registered:
            self._registered = False
            self._transport.unregisterProducer()

    # --- called by the transport ----------------------------------------------

    def pauseProducing(self) -> None:
        self._paused = True
        self.waiting = True
        self._owner.output_waits()

    def resumeProducing(self) -> None:
        self._paused = False
        self._flush()

    def stopProducing(self) -> None:
        """The connection's `connectionLost` does what is to be done."""

    # --- inside -----------------------------------------------------------------

    def _send_now(self, data: bytes | memoryview) -> int:
        """What the kernel takes of it; -1 when the connection is broken.

        Twisted's own `writeSomeData` takes no more than 128 KiB at a time.
        """
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            return 0 if error.errno == errno.ENOBUFS else -1

    def _hand_over(self, data: bytes | memoryview) -> int:
        if self._paused:
            return 0
        piece = bytes(data[:_PIECE])
        self._transport.write(piece)
        return len(piece)

    def _flush(self) -> None:
        budget = _TURN
        while (piece := self._take(_PIECE)) is not None:
            sent = self._send(piece)
            if sent < 0:
                self._owner.output_lost()
                return
            if sent < len(piece):
                self._give_back(piece, sent)
            budget -= sent
            self.handed += sent
            if not sent or (budget <= 0 and self._plain):
                self._wait()
                return
        if self._paused:
            return
        self.waiting = self._full = False
        self._rest()
        if self._plain:
            self._transport.unregisterProducer()
        self._owner.output_drained()

    def _wait(self) -> None:
        if self._plain:
            piece = self._take(_SENTINEL)
            if piece is not None:
                self._give_back(piece, _SENTINEL)
                self._transport.write(bytes(piece[:_SENTINEL]))
                self.handed += min(len(piece), _SENTINEL)

    def _put(self, data: bytes | memoryview) -> None:
        size = len(data)
        if self._spool is not None and not self._overflow:
            self._store(data)
            return
        fits = not self._overflow and self._memory + size <= self._memory_limit
        if fits and self._space.claim_memory(size):
            self._memory += size
            # A view is only good until we return.
            self._queue.append(bytes(data))
            return
        self._overflow.append(bytes(data))
        self._count(size)
        if not self._full:
            self._full = True
            self._patience = self._clock.callLater(PATIENCE, self._look_again)
            self._owner.output_full()

    def _look_again(self) -> None:
        # A busy reactor comes to its timers late: let it see first whether the
        # client has taken something meanwhile.
        self._patience = self._clock.callLater(0, self._lose_patience)

    def _lose_patience(self) -> None:
        self._patience = None
        try:
            spool = self._spool = SpoolQueue(self._folder, self._space)
        except OSError as error:
            self._owner.output_suffers(f"no file for the response: {error}")
            return
        pieces, self._overflow = self._overflow, deque()
        for piece in pieces:
            self._count(-len(piece))
            self._store(piece)
        if not self._overflow and spool.pending < self._spool_limit:
            self._full = False
            self._owner.output_roomy()

    def _store(self, data: bytes | memoryview) -> None:
        spool = self._spool
        if spool is None:
            raise AssertionError("nowhere to store")
        stored = 0
        if not self._overflow:
            stored = spool.append(data)
            if stored < len(data):
                self._owner.output_suffers(
                    "no room on disk for the response, its worker has to wait: "
                    f"{spool.lacks}"
                )
        if stored < len(data):
            self._overflow.append(bytes(data[stored:]))
            self._count(len(data) - stored)
        if not self._full and (self._overflow or spool.pending >= self._spool_limit):
            self._full = True
            self._owner.output_full()

    def _take(self, size: int) -> bytes | memoryview | None:
        if self._queue:
            piece = self._queue.popleft()
            self._count(-len(piece))
            return piece
        if self._spool is not None and self._spool.pending:
            try:
                return self._spool.take(size)
            except OSError as error:
                self._owner.output_suffers(
                    f"the response's file can't be read: {error}"
                )
                self._owner.output_lost()
                return None
        if self._overflow:
            piece = self._overflow.popleft()
            self._count(-len(piece))
            return piece
        return None

    def _give_back(self, piece: bytes | memoryview, sent: int) -> None:
        rest = memoryview(piece)[sent:]
        if rest:
            self._queue.appendleft(rest)
            self._count(len(rest))

    def _count(self, size: int) -> None:
        self._memory += size
        self._space.memory += size

    def _rest(self) -> None:
        """Nothing waits any more."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if self._spool is not None:
            self._spool.close()
            self._spool = None
