"""Sends a file to a client, at the client's pace.

Runs in: the controller.

To an exchange it is what a worker's session is: it can be told to wait, to go on and
to stop.  The kernel copies the file to the socket while the client keeps up; through
TLS, pieces are read, each when the one before was taken.  So neither memory nor the
spool fills up.  The disk is read in the reactor's thread, as nginx does it by default:
a piece that the kernel has to fetch from a slow disk holds everybody up as long.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from zope.interface import implementer

from passtwist.api.failures import RequestFailure
from passtwist.api.interfaces import ISession

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from passtwist.http.exchange import Exchange
    from passtwist.http.output import Output

# What is read where the kernel can't send it.
PIECE = 32 * 1024
# What is read when the client has enough for now: it waits, and when it is gone, the
# kernel takes more.
_TELLTALE = 4096
# So much in one turn of the reactor; then it is somebody else's.
_TURN = 1 << 20


@implementer(ISession)
class FileSession:
    """A part of an open file on its way; closes it in the end.

    What the log says of a session is here what it would say of the app's, had that
    just ended, when it was an app that said which file to send: neither queue nor app
    took the time in which the file went out.
    """

    __slots__ = (
        "_descriptor",
        "_exchange",
        "_later",
        "_left",
        "_offset",
        "_paused",
        "_ran",
        "_waited",
        "attempts",
        "queued_at",
        "spawn_method",
        "started_at",
        "worker",
        "worker_pid",
    )

    def __init__(
        self,
        exchange: Exchange,
        descriptor: int,
        start: int,
        length: int,
        by: ISession | None = None,
    ) -> None:
        """
        :param exchange: has sent a head that announces *length* bytes.
        :param by: the session of the app.
        """
        self._exchange = exchange
        self._descriptor = descriptor
        self._offset = start
        self._left = length
        self._paused = False
        self._later: IDelayedCall | None = None
        self.worker_pid = self.worker = self.attempts = 0
        self.spawn_method = ""
        self._waited = self._ran = self.queued_at = self.started_at = 0.0
        if by is not None:
            self.worker_pid, self.worker = by.worker_pid, by.worker
            self.spawn_method, self.attempts = by.spawn_method, by.attempts
            self._waited = by.started_at - by.queued_at
            self._ran = exchange.front.now() - by.started_at

    def abandon(self) -> None:
        """See `ISession.abandon`."""
        self._left = 0
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self.started_at = self._exchange.front.now() - self._ran
            self.queued_at = self.started_at - self._waited
        if self._later is not None:
            self._later.cancel()
            self._later = None

    def pause(self) -> None:
        """See `ISession.pause`."""
        self._paused = True

    def resume(self) -> None:
        """See `ISession.resume`."""
        if self._paused:
            self._paused = False
            if self._later is None:
                self.run()

    def run(self) -> None:
        """Send until the client has enough for now."""
        self._later = None
        exchange, turn = self._exchange, _TURN
        while self._left and not self._paused:
            connection = exchange.connection
            if connection is None:
                self.abandon()
                return
            if connection.output.waiting:
                exchange.hold()
                return
            if turn <= 0:
                self._later = exchange.front.clock.callLater(0, self.run)
                return
            turn -= self._send(connection.output, turn)

    def _send(self, output: Output, most: int) -> int:
        """Send some of it; answers how much."""
        exchange, size = self._exchange, min(self._left, most)
        sent = output.send_file(self._descriptor, self._offset, size)
        if sent:
            exchange.passed(sent)
            self._went(sent)
        piece = b""
        if sent < size:
            piece = self._read(min(_TELLTALE if sent else PIECE, size - sent))
            self._went(len(piece))
        is_last = not self._left and self._descriptor >= 0
        if is_last:
            self.abandon()
        if piece:
            exchange.write(piece)
        if is_last:
            exchange.finish()
        return sent + len(piece)

    def _went(self, size: int) -> None:
        self._offset += size
        self._left -= size

    def _read(self, size: int) -> bytes:
        """The next piece; b"" when there is none, and then it is over."""
        reason = "the file became shorter while it was sent"
        try:
            piece = os.pread(self._descriptor, size, self._offset)
        except OSError as error:
            piece, reason = b"", f"the file can't be read: {error.strerror}"
        if not piece:
            self.abandon()
            self._exchange.fail(RequestFailure(500, reason))
        return piece
