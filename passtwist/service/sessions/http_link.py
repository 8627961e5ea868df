"""All connections of one worker that speaks HTTP/1.1.

Runs in: the controller.

They are opened as they are needed: such a worker may take thousands, and many
servers close what is idle for some seconds.  Ours are closed before that, so that
no request is written on one that is being closed at the same moment.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed

from passtwist.api.failures import RequestFailure
from passtwist.api.requests import variable
from passtwist.errors import ForgedEnviron
from passtwist.service.sessions.dying import is_dying
from passtwist.service.sessions.http_carrier import HttpCarrier
from passtwist.service.sessions.session import (
    ABANDONED,
    CONNECTING,
    RESPONDING,
    RUNNING,
    SENT,
    UPGRADED,
)
from passtwist.wire.http_requests import encode_request_head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twisted.internet.interfaces import IDelayedCall

    from passtwist.api.interfaces import IRequest, IWorker
    from passtwist.api.reactors import Reactor
    from passtwist.model import WorkerId
    from passtwist.service.sessions.links import Owner
    from passtwist.service.sessions.session import Session

# How long a connection is kept for the next request.  Servers close theirs after
# two seconds (gunicorn), five (uvicorn, hypercorn) or more.
IDLE_SECONDS = 1.0
# Until it is tried again to connect to a worker that is slow to accept.
AGAIN_SECONDS = 0.02

_GONE = (errno.ECONNREFUSED, errno.ENOENT)


class HttpLink:
    """See `passtwist.service.sessions.links.Link`."""

    def __init__(
        self, reactor: Reactor, owner: Owner, number: WorkerId, worker: IWorker
    ) -> None:
        self.number = number
        self.worker = worker
        self.requests = 0
        self.is_lost = False
        self.running: dict[HttpCarrier, Session] = {}
        self._reactor = reactor
        self._owner = owner
        self._idle: list[HttpCarrier] = []  # the one that was used last is the last
        self._to_carry: deque[Session] = deque()
        self._is_carrying = False
        self._waiting: deque[Session] = deque()  # for room to connect
        self._closed = False
        self._sweeping: IDelayedCall | None = None
        self._again: IDelayedCall | None = None

    def connect(self) -> Deferred[None]:
        """That it listens was its word when it said that it is ready."""
        return succeed(None)

    def run(self, session: Session) -> None:
        """Carry *session*; the pool has counted it already."""
        session.attempts += 1
        session.worker = self.number
        session.worker_pid = self.worker.pid
        session.spawn_method = self.worker.spawn_method
        self._to_carry.append(session)
        self._carry_all()

    def in_flight(self) -> Iterator[tuple[Session, str]]:
        """The sessions that it has, each with its state."""
        for session in self._waiting:
            if not session.abandoned:
                yield session, CONNECTING
        for carrier, session in self.running.items():
            if carrier.tunnel is not None:
                yield session, UPGRADED
            elif session.abandoned:
                yield session, ABANDONED
            elif carrier.is_answering:
                yield session, RESPONDING
            else:
                yield session, RUNNING if carrier.is_begun else SENT

    def times(self) -> Iterator[tuple[Session, float, bool]]:
        """The requests that it has: since when, and whether they were begun.

        An upgraded connection is none any more and may last as long as it likes.
        """
        for session in self._waiting:
            yield session, session.started_at, False
        for carrier, session in self.running.items():
            if carrier.tunnel is None:
                yield session, session.started_at, carrier.is_begun

    def end_tunnels(self) -> None:
        """The worker is to leave, and upgraded connections don't end by themselves."""
        for carrier in tuple(self.running):
            if carrier.tunnel is not None:
                carrier.tunnel.leave()

    def condemn(self) -> None:
        """The worker is going to be ended: what it has may end, nothing begins."""
        self._give_back()

    def cut(self, session: Session, failure: RequestFailure) -> None:
        """End a running session, whose answer nobody shall get any more."""
        for carrier, one in tuple(self.running.items()):
            if one is session:
                del self.running[carrier]
                carrier.close()
                session.fail(failure)

    def worker_exited(self) -> None:
        """The process is reaped; the pool knows already."""
        self._stop()
        for carrier in tuple(self.running):
            carrier.take_rest()
        self._give_back()

    def close(self) -> None:
        """Close all connections; the worker sees end-of-file."""
        self._stop()
        for carrier in tuple(self.running):
            carrier.close()

    # --- told by the connections ----------------------------------------------

    def session_ended(self, carrier: HttpCarrier) -> None:
        """See `http_carrier.Link`."""
        self.requests += 1
        self.running.pop(carrier, None)
        if carrier.tunnel is not None:
            self._look_at_worker()
        if self._closed:
            carrier.close()
            return
        if carrier.is_open:
            self._keep(carrier)
        self._place_free()

    def connection_lost(self, carrier: HttpCarrier, session: Session | None) -> None:
        """See `http_carrier.Link`."""
        self.running.pop(carrier, None)
        if carrier in self._idle:
            self._idle.remove(carrier)
        self._look_at_worker()
        if session is not None:
            self._release(session)

    # --- inside ---------------------------------------------------------------

    def _carry_all(self) -> None:
        # A session that can't be carried leaves its place to another one, which
        # perhaps can't either: a loop, as there may be many.
        if self._is_carrying:
            return
        self._is_carrying = True
        try:
            while self._to_carry:
                self._carry(self._to_carry.popleft())
        finally:
            self._is_carrying = False

    def _carry(self, session: Session) -> None:
        if session.abandoned or self._closed:
            session.ended = session.abandoned
            self._release(session)
            return
        upgrade = self._upgrade(session.request)
        request = session.request
        try:
            head = encode_request_head(request.pairs, _length_of(request), upgrade)
        except ForgedEnviron as error:
            session.fail(RequestFailure(400, str(error)))
            self._release(session)
            return
        while self._idle:
            if self._try(self._idle.pop(), session, head, upgrade):
                return
        try:
            carrier = HttpCarrier(self._reactor, self, self.worker.socket_path)
        except BlockingIOError:
            self._wait(session)
        except OSError as error:
            if error.errno in _GONE:
                self._give_up()
            self._release(session)
        else:
            if not self._try(carrier, session, head, upgrade):
                self._release(session)

    def _try(
        self, carrier: HttpCarrier, session: Session, head: bytes, upgrade: bytes
    ) -> bool:
        self.running[carrier] = session
        try:
            carrier.run(session, head, upgrade)
        except OSError:
            del self.running[carrier]
            carrier.close()
            return False
        return True

    def _upgrade(self, request: IRequest) -> bytes:
        """The first of the protocols asked for that the worker takes."""
        for protocol in request.upgrade:
            if protocol.decode("latin-1") in self.worker.upgrades:
                return protocol
        return b""

    def _release(self, session: Session) -> None:
        """The place of *session* is free; it is given back unless it has ended."""
        if not self._closed:
            self._place_free()
        if not session.ended:
            self._owner.not_begun(session)

    def _place_free(self) -> None:
        session = self._owner.place_free(self)
        if session is not None:
            self.run(session)

    def _wait(self, session: Session) -> None:
        self._waiting.append(session)
        if self._again is None:
            self._again = self._reactor.callLater(AGAIN_SECONDS, self._retry)

    def _retry(self) -> None:
        self._again = None
        self._to_carry += self._waiting
        self._waiting.clear()
        self._carry_all()

    def _give_up(self) -> None:
        """Nobody listens any more: it is dead or dying."""
        if not self._closed:
            self._closed = self.is_lost = True
            self._owner.link_lost(self)
            self._give_back()

    def _look_at_worker(self) -> None:
        """A connection has ended: if the process has, send nothing more to it.

        It can still be connected to for a moment, and what is written counts as
        begun.
        """
        if not self._closed and is_dying(self.worker.pid):
            self._give_up()

    def _give_back(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for session in waiting:
            self._owner.not_begun(session)

    def _stop(self) -> None:
        self._closed = True
        for timer in (self._sweeping, self._again):
            if timer is not None:
                timer.cancel()
        self._sweeping = self._again = None
        idle, self._idle = self._idle, []
        for carrier in idle:
            carrier.close()

    def _keep(self, carrier: HttpCarrier) -> None:
        carrier.idle_since = self._reactor.seconds()
        self._idle.append(carrier)
        if self._sweeping is None:
            self._sweeping = self._reactor.callLater(IDLE_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Close those that have been idle for long enough; the oldest are first."""
        self._sweeping = None
        until = self._reactor.seconds() - IDLE_SECONDS
        while self._idle and self._idle[0].idle_since <= until:
            self._idle.pop(0).close()
        if self._idle:
            wait = self._idle[0].idle_since - until
            self._sweeping = self._reactor.callLater(wait, self._sweep)


def _length_of(request: IRequest) -> int | None:
    """Of the body; None when that is not known yet."""
    if request.body_stream is None:
        return request.body_length
    length = variable(request, b"CONTENT_LENGTH")
    return int(length) if length else None
