"""The controller's end of one spawn's handshake socket.

Runs in: the controller.  One packet is one journey record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from passtwist.api.selectable import Selectable
from passtwist.errors import BadFrame
from passtwist.wire.journey import MAX_RECORD, Record, decode_record

if TYPE_CHECKING:
    import socket

    from passtwist.api.reactors import Reactor

# An app that writes records without end must not hold the reactor.
RECORDS_PER_TURN = 32


class IsTold(Protocol):
    """Who hears of the records."""

    def record_came(self, record: Record) -> None:
        """One record; may close the handshake."""

    def handshake_broke(self, error: BadFrame | None) -> None:
        """End-of-file (None), or something that is no record."""


class Handshake(Selectable):
    """Reads records until closed."""

    def __init__(self, reactor: Reactor, end: socket.socket, owner: IsTold) -> None:
        super().__init__(reactor, end.fileno())
        self._socket = end
        self._owner = owner
        reactor.addReader(self)

    def close(self) -> None:
        """Stop listening.  Harmless when closed."""
        if self._descriptor >= 0:
            self.unwatch()
            self._descriptor = -1
            self._socket.close()

    def doRead(self) -> None:
        """Hand on the packets that have come."""
        for _ in range(RECORDS_PER_TURN):
            if self._descriptor < 0:
                return
            try:
                packet = self._socket.recv(MAX_RECORD + 1)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self._owner.handshake_broke(None)
                return
            try:
                record = decode_record(packet)
            except BadFrame as error:
                self._owner.handshake_broke(error)
                return
            self._owner.record_came(record)
