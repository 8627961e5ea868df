"""What goes out to one client, at the client's pace and not the worker's.

Runs in: the controller.

While the client keeps up, bytes go to the kernel at once.  When it does not,
they wait: in memory, then in an unlinked file, and only when that is full does
the owner have to hold back the worker.

On a plain socket this is a pull producer: Twisted is given a small piece and
asks for more when the kernel has taken it, which is how writability is learnt
and how progress is seen byte by byte.  Any other transport (TLS, wrappers) has
a buffer of its own; there this is a push producer.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet import tcp
from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.logger import Logger
from zope.interface import implementer

from passtwist.http.spool import Spool

if TYPE_CHECKING:
    from passtwist.http.config import HttpLimits

# So much in one turn of the reactor; then it is somebody else's.
_TURN = 1 << 20
_PIECE = 128 * 1024
# Handed to the transport to learn when the socket is writable again.
_SENTINEL = 1024

_log = Logger()


class OutputOwner(Protocol):
    """Who is told how it goes."""

    def output_drained(self) -> None:
        """Everything was taken."""

    def output_progressed(self) -> None:
        """Some bytes were taken, others wait."""

    def output_full(self) -> None:
        """Write no more until `output_drained`."""

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
    """

    __slots__ = (
        "_folder",
        "_full",
        "_memory",
        "_memory_limit",
        "_overflow",
        "_owner",
        "_paused",
        "_plain",
        "_queue",
        "_registered",
        "_send",
        "_spool",
        "_spool_limit",
        "_transport",
        "waiting",
    )

    def __init__(
        self,
        transport: Any,  # no interface has both IConsumer and writeSomeData
        owner: OutputOwner,
        limits: HttpLimits,
        folder: str,
    ) -> None:
        self._transport = transport
        self._owner = owner
        self._memory_limit = limits.response_memory
        self._spool_limit = limits.response_spool
        self._folder = folder
        self._queue: deque[bytes | memoryview] = deque()
        self._memory = 0
        self._spool: Spool | None = None
        self._overflow: deque[bytes | memoryview] = deque()
        self._full = False
        self._paused = False
        self.waiting = False
        self._plain = is_plain_socket(transport)
        if self._plain:
            self._send = transport.writeSomeData
        else:
            self._send = self._hand_over
            transport.registerProducer(self, True)
        self._registered = not self._plain

    def write(self, data: bytes) -> None:
        """Send *data* now, or keep it until the client takes more."""
        if self.waiting:
            # An empty piece would look like a client that takes nothing.
            if data:
                self._put(data)
            return
        sent = self._send(data)
        if sent == len(data):
            return
        if not isinstance(sent, int):
            self._owner.output_lost()
            return
        self._put(memoryview(data)[sent:])
        self.waiting = True
        self._owner.output_progressed()
        if self._plain:
            # Calls resumeProducing at once.
            self._transport.registerProducer(self, False)
        else:
            self._flush()

    def close(self) -> None:
        """The connection is gone: give back what is held."""
        self._queue.clear()
        self._overflow.clear()
        self._close_spool()

    def detach(self) -> None:
        """Everything is written: let the transport close without asking us."""
        if self._registered:
            self._registered = False
            self._transport.unregisterProducer()

    # --- called by the transport ----------------------------------------------

    def pauseProducing(self) -> None:
        self._paused = True
        self.waiting = True
        self._owner.output_progressed()

    def resumeProducing(self) -> None:
        self._paused = False
        self._flush()

    def stopProducing(self) -> None:
        """The connection's `connectionLost` does what is to be done."""

    # --- inside -----------------------------------------------------------------

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
            if not isinstance(sent, int):
                self._owner.output_lost()
                return
            if sent < len(piece):
                self._give_back(piece, sent)
            budget -= sent
            if not sent or (budget <= 0 and self._plain):
                self._wait(progressed=budget < _TURN)
                return
        if self._paused:
            return
        self.waiting = self._full = False
        self._close_spool()
        if self._plain:
            self._transport.unregisterProducer()
        self._owner.output_drained()

    def _wait(self, progressed: bool) -> None:
        if self._plain:
            piece = self._take(_SENTINEL)
            if piece is not None:
                self._give_back(piece, _SENTINEL)
                self._transport.write(bytes(piece[:_SENTINEL]))
        if progressed:
            self._owner.output_progressed()

    def _put(self, data: bytes | memoryview) -> None:
        size = len(data)
        if self._overflow:
            self._overflow.append(data)
            return
        if self._spool is None:
            if self._memory + size <= self._memory_limit:
                self._queue.append(data)
                self._memory += size
                return
            try:
                self._spool = Spool(self._folder)
            except OSError as error:
                _log.error("no file for a response: {error}", error=error)
                self._overflow.append(data)
                self._fill_up()
                return
        stored = self._spool.append(data)
        if stored < size:
            _log.error("no room on disk for a response; its worker has to wait")
            self._overflow.append(memoryview(data)[stored:])
        if stored < size or self._spool.written >= self._spool_limit:
            self._fill_up()

    def _fill_up(self) -> None:
        if not self._full:
            self._full = True
            self._owner.output_full()

    def _take(self, size: int) -> bytes | memoryview | None:
        if self._queue:
            piece = self._queue.popleft()
            self._memory -= len(piece)
            return piece
        if self._spool is not None and self._spool.pending:
            try:
                return self._spool.take(size)
            except OSError as error:
                _log.error("a response's file can't be read: {error}", error=error)
                self._owner.output_lost()
                return None
        return self._overflow.popleft() if self._overflow else None

    def _give_back(self, piece: bytes | memoryview, sent: int) -> None:
        rest = memoryview(piece)[sent:]
        if rest:
            self._queue.appendleft(rest)
            self._memory += len(rest)

    def _close_spool(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None
