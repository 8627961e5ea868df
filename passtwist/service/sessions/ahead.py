"""The request that a busy worker finds when it is done with the present one.

Runs in: the controller.

A worker that has to wait for us between two requests sleeps each time, and each time
the system has to wake it; under load that is a fifth of what a small request costs.
So one request lies ready for it, of those that wait.  It is nobody's until somebody
takes it: when another worker is free, or the request's client has left, we take it
back.  It is one packet of a SOCK_SEQPACKET pair whose reading end both sides have:
the kernel gives it to one of them, whole.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Protocol

from passtwist.errors import ForgedEnviron
from passtwist.wire.scoreboard import was_begun
from passtwist.wire.session import LAST, MAX_AHEAD, encode_body, encode_request_start

if TYPE_CHECKING:
    from passtwist.service.sessions.session import Session


class Giver(Protocol):
    """A connection to a worker."""

    def give_ahead(self, descriptor: int) -> bool:
        """Hand *descriptor*, of the worker's end, to the worker; False when that
        can't be."""


class Ahead:
    """At most one session, which still waits as far as the pool knows.

    Knows nothing of the connection that it belongs to: that and its worker's memory
    shall be gone with the last reference, and not when garbage is collected.

    :ivar session: the one, None when there is none.
    :ivar since: when it was sent, on the gateway's clock.
    :ivar was_opened: the worker was given its end.
    :ivar was_taken: when it was closed the worker had taken the session's request.
    """

    __slots__ = (
        "_behind",
        "_ours",
        "_rests",
        "_theirs",
        "session",
        "since",
        "was_opened",
        "was_taken",
    )

    def __init__(self) -> None:
        self.session: Session | None = None
        self.since = 0.0
        self._behind = 0  # number of the request that ran when the last one was sent
        self.was_opened = self.was_taken = self._rests = False
        self._ours: socket.socket | None = None
        self._theirs: socket.socket | None = None

    def rests(self, board: memoryview | None, slot: int) -> bool:
        """One was had back, and the worker, at *slot* of *board*, has begun none since.

        It may have seen that one and be about to take what lies there, without
        another look at the connection; what came by that would be begun too late.
        """
        if self._rests and board is not None:
            self._rests = was_begun(board, slot, self._behind)
        return self._rests

    def send(self, session: Session, behind: int, now: float, giver: Giver) -> bool:
        """Lay *session*'s request ready, *behind* the one with that number.

        There must be none, also none that runs and that the worker has not taken
        yet: we would take back that one.  And it must not rest.

        :returns: False when that can't be: it is too large, or comes from a file or
            as a stream, or there is no descriptor.
        """
        request = session.request
        if self.session is not None:
            raise AssertionError("there is one")
        if request.body_file is not None or request.body_stream is not None:
            return False
        try:
            if request.body:
                data = encode_request_start(session.number, request.pairs)
                data += encode_body(request.body, last=True)
            else:
                data = encode_request_start(session.number, request.pairs, LAST)
            if len(data) > MAX_AHEAD:
                return False
            ours = self._ours or self._open(giver)
            ours.send(data)  # all of it or nothing
        except (ForgedEnviron, OSError):
            return False  # what is wrong is found again when it is its turn
        self.session = session
        self._behind = behind
        self.since = now
        return True

    def take_back(self) -> bool:
        """Let the session wait again; False when the worker has taken the request."""
        if self.session is None or self._theirs is None:
            return False
        try:
            self._theirs.recv(1)  # the rest of the packet is dropped
        except OSError:
            return False
        self._rests = True
        self.take()
        return True

    def take(self) -> Session | None:
        """It is not ahead any more: it runs, or waits again."""
        session, self.session = self.session, None
        if session is not None:
            session.ahead = None
        return session

    def close(self) -> Session | None:
        """Send nothing more; harmless when closed.

        :returns: a session whose request the worker has taken.
        """
        lost = None if self.take_back() else self.take()
        self.was_taken = lost is not None
        if self._ours is not None and self._theirs is not None:
            self._ours.close()
            self._theirs.close()
            self._ours = self._theirs = None
        return lost

    def _open(self, giver: Giver) -> socket.socket:
        """:raises OSError: there is no descriptor, or the worker can't be given one."""
        kind = socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK
        ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
        if not giver.give_ahead(theirs.fileno()):
            ours.close()
            theirs.close()
            raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))
        self._ours, self._theirs = ours, theirs
        self.was_opened = True
        return ours
