"""All connections of one worker.

Runs in: the controller.

A worker with N threads gets N connections; each is capacity from its READY
on.  The pool counts sessions, not connections: when a connection is lost its
session keeps its place in the pool until the replacement is ready, so the
pool never believes in capacity that is not there.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from passtwist.api.failures import RequestFailure
from passtwist.service.sessions.connection import Connection
from passtwist.service.sessions.session import (
    ABANDONED,
    CONNECTING,
    RESPONDING,
    RUNNING,
    SENT,
)
from passtwist.wire.scoreboard import began_at, was_begun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twisted.internet.interfaces import IDelayedCall

    from passtwist.api.interfaces import IWorker
    from passtwist.api.reactors import Reactor
    from passtwist.model import WorkerId
    from passtwist.service.sessions.links import Owner
    from passtwist.service.sessions.session import Session


# From its readiness until it has taken its connections, which takes a worker no
# work: one that does not is stopped, or an app's thread keeps the interpreter.
READY_WITHIN = 30.0  # seconds
# A worker whose app closes descriptors that are not its own would keep us busy
# with making connections for ever.
MOST_LOSSES = 10  # for each connection that it may have
# Without a descriptor, or memory, for a connection: both may be there again soon.
TRY_AGAIN = 0.5  # seconds
_SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class WorkerLink:
    """Connects to *worker* and carries its sessions.

    :ivar requests: how many it has finished.
    :ivar is_lost: the worker can't be reached any more.
    """

    def __init__(
        self, reactor: Reactor, owner: Owner, number: WorkerId, worker: IWorker
    ) -> None:
        self.number = number
        self.worker = worker
        self.requests = 0
        self.is_lost = False
        self.running: dict[Connection, Session] = {}
        self._reactor = reactor
        self._owner = owner
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._waiting: deque[Session] = deque()
        self._owed = 0  # places in the pool whose connection was lost
        self._closed = False
        self._is_condemned = False
        # Who has several connections has several requests at a time anyway.
        # Without a scoreboard nobody could tell whether the one before was begun.
        self._sends_ahead = worker.concurrency == 1 and worker.scoreboard is not None
        self._losses = 0  # of connections in a row that carried nothing
        self._requests_then = 0
        self._short = 0  # connections for which there was no descriptor
        self._again: IDelayedCall | None = None
        self._ready: Deferred[None] | None = None
        self._patience: IDelayedCall | None = None

    def connect(self) -> Deferred[None]:
        """Open all connections; fires when each has said READY.

        Errbacks with OSError when the worker can't be reached, or leaves
        before that, or after READY_WITHIN seconds.
        """
        result: Deferred[None] = Deferred()
        self._ready = result
        self._patience = self._reactor.callLater(
            READY_WITHIN,
            self._fail_ready,
            f"it did not take its connections within {READY_WITHIN:g} s",
        )
        try:
            for _ in range(self.worker.concurrency):
                self._open()
        except OSError as error:
            self._take_ready()
            self.close()
            result.errback(error)
        return result

    def run(self, session: Session) -> None:
        """Carry *session*; the pool has counted it already."""
        self._assign(session)
        if self._idle:
            self._carry(self._idle.pop(), session)
        else:
            self._waiting.append(session)

    def in_flight(self) -> Iterator[tuple[Session, str]]:
        """The sessions that it has, each with its state."""
        for session in self._waiting:
            if not session.abandoned:
                yield session, CONNECTING
        for connection, session in self.running.items():
            if session.abandoned:
                yield session, ABANDONED
            elif connection.is_answering:
                yield session, RESPONDING
            elif self._is_past(connection, session):
                yield session, RUNNING
            else:
                yield session, SENT

    def times(self) -> Iterator[tuple[Session, float, bool]]:
        """The sessions that it has: since when, and whether they were begun.

        On the gateway's clock, which is that of the scoreboard too.
        """
        for session in self._waiting:
            yield session, session.started_at, False
        board = self.worker.scoreboard
        for connection, session in self.running.items():
            since, is_begun = session.started_at, self._is_past(connection, session)
            if is_begun and board is not None:
                since = max(since, began_at(board, connection.slot))
            yield session, since, is_begun

    def end_tunnels(self) -> None:
        """It has none: session frames know nothing but requests."""

    def condemn(self) -> None:
        """The worker is going to be ended: what it has may end, nothing begins.

        What it was not sent yet goes to another worker.
        """
        self._is_condemned = True
        for connection in tuple(self._all):
            connection.settle()
        self._abandon_waiting()

    def cut(self, session: Session, failure: RequestFailure) -> None:
        """End a running session, whose answer nobody shall get any more.

        Its connection is closed, as the answer may still come on it.
        """
        for connection, one in tuple(self.running.items()):
            if one is session:
                connection.settle()
                if self.running.get(connection) is not session:
                    return  # its answer was there
                del self.running[connection]
                self._all.discard(connection)
                connection.close()
                session.fail(failure)

    def worker_exited(self) -> None:
        """The process is reaped; the pool knows already.

        What it had sent is read to end-of-file before anything is failed:
        the last answer may still be in there.
        """
        self._shut()
        for connection in tuple(self._all):
            connection.take_rest()
        self._abandon_waiting()
        self._fail_ready("the worker exited")

    def close(self) -> None:
        """Close all connections; the worker sees end-of-file."""
        self._shut()
        for connection in tuple(self._all):
            connection.close()
        self._all.clear()
        self._idle.clear()
        self._fail_ready("the connections were closed")

    # --- told by the connections ----------------------------------------------

    def connection_ready(self, connection: Connection) -> None:
        """See `connection_owner.ConnectionOwner`."""
        if self._owed:
            self._owed -= 1
            self._next(connection)
        else:
            self._next_waiting(connection)
        if self._ready is not None and len(self._idle) == self.worker.concurrency:
            ready = self._take_ready()
            ready.callback(None)

    def session_ended(self, connection: Connection) -> None:
        """See `connection_owner.ConnectionOwner`."""
        self.requests += 1
        if self._closed:
            self.running.pop(connection, None)
        else:
            self._next(connection)

    def connection_lost(self, connection: Connection, session: Session | None) -> None:
        """See `connection_owner.ConnectionOwner`."""
        self._all.discard(connection)
        self.running.pop(connection, None)
        if connection.ahead.was_opened:
            # The worker may have had no descriptor left for it.
            self._sends_ahead = False
        if connection in self._idle:
            self._idle.remove(connection)
        if session is not None:
            self._owed += 1
        retry = session is not None and not self._settle(connection, session)
        if not (self._closed or self._is_condemned):
            if self._is_in_vain(session is None or retry):
                self._give_up("the worker closed its connections again and again")
            else:
                self._replace()
        if retry and session is not None:
            self._owner.not_begun(session)

    def follower_lost(self, session: Session) -> None:
        """See `connection_owner.ConnectionOwner`."""
        reason = "its worker's connection was closed when it had taken the request"
        self._owner.withdraw(session, RequestFailure(502, reason))

    # --- inside ---------------------------------------------------------------

    def _shut(self) -> None:
        """No further connections."""
        self._closed = True
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def _open(self) -> None:
        connection = Connection(self._reactor, self, self.worker.socket_path)
        self._all.add(connection)

    def _replace(self) -> None:
        if self._closed or self._is_condemned:
            return
        try:
            self._open()
        except OSError as error:
            if error.errno in _SHORT:
                # The worker is well; its place is owed until there is something.
                self._short += 1
                if self._again is None:
                    self._again = self._reactor.callLater(TRY_AGAIN, self._replace_all)
                return
            # Nobody listens any more: it is dead or dying.
            self._give_up("the worker stopped listening")

    def _replace_all(self) -> None:
        short, self._short, self._again = self._short, 0, None
        for _ in range(short):
            self._replace()

    def _give_up(self, reason: str) -> None:
        self.is_lost = True
        self._shut()
        self._owner.link_lost(self)
        self._abandon_waiting()
        self._fail_ready(reason)

    def _is_in_vain(self, was_unused: bool) -> bool:
        """Whether one connection more would be closed like those before.

        :param was_unused: the one that was lost carried no request to the app.
        """
        if not was_unused or self.requests != self._requests_then:
            self._losses = 0
        self._requests_then = self.requests
        self._losses += was_unused
        return self._losses > MOST_LOSSES * self.worker.concurrency

    def _settle(self, connection: Connection, session: Session) -> bool:
        """Fail a session whose connection broke, unless it was not begun."""
        if session.ended:
            return True
        if not self._is_past(connection, session):
            return False
        session.fail(
            RequestFailure(502, f"worker {self.worker.pid} died during the request")
        )
        return True

    def is_begun(self, connection: Connection, session: Session) -> bool:
        """See `connection_owner.ConnectionOwner`."""
        board = self.worker.scoreboard
        if board is None:
            return True  # as far as anybody can know
        slot = connection.slot
        return slot >= 0 and was_begun(board, slot, session.number)

    def _is_past(self, connection: Connection, session: Session) -> bool:
        """The worker has begun *session*, or even the one behind it."""
        ahead = connection.ahead
        follower = ahead.session
        return (
            self.is_begun(connection, session)
            or ahead.was_taken
            or (follower is not None and self.is_begun(connection, follower))
        )

    def _next(self, connection: Connection) -> None:
        """A place is free: ask the pool what *connection* carries next."""
        ahead = connection.ahead
        follower = ahead.session
        session = self._owner.place_free(self, follower)
        if ahead.session is not None and not ahead.take_back():
            self._drop(connection, session)
            return
        if session is None:
            self.running.pop(connection, None)
            self._next_waiting(connection)
            return
        self._assign(session)
        if session is follower:
            self.running[connection] = session
            connection.run_follower(session)
            takes_follower = self.is_begun(connection, session)
        else:
            self._carry(connection, session)
            # That may have ended at once, and another one have begun.
            is_at_it = self.running.get(connection) is session
            takes_follower = (
                is_at_it and self._sends_ahead and connection.takes_follower
            )
        if self._is_condemned or not takes_follower or ahead.session is not None:
            return
        if ahead.rests(self.worker.scoreboard, connection.slot):
            return
        # One more, so that the worker has it when it is done with this one.
        now = session.started_at
        waiting = self._owner.next_for(self, now)
        if waiting is not None and ahead.send(waiting, session.number, now, connection):
            waiting.ahead = connection
            self._owner.sent_ahead(connection)

    def _drop(self, connection: Connection, session: Session | None) -> None:
        """Its worker is at a request that the pool did not give it, but *session*."""
        self.running.pop(connection, None)
        self._all.discard(connection)
        connection.close()
        if session is not None:
            self._waiting.append(session)
        self._replace()

    def _next_waiting(self, connection: Connection) -> None:
        if self._waiting:
            self._carry(connection, self._waiting.popleft())
        else:
            self._idle.append(connection)

    def _assign(self, session: Session) -> None:
        session.attempts += 1
        session.worker = self.number
        session.worker_pid = self.worker.pid
        session.spawn_method = self.worker.spawn_method

    def _carry(self, connection: Connection, session: Session) -> None:
        if session.abandoned:
            # Its client left while it waited for a connection.
            session.ended = True
            self._next(connection)
            return
        self.running[connection] = session
        connection.run(session)

    def _abandon_waiting(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for session in waiting:
            self._owner.not_begun(session)

    def _fail_ready(self, reason: str) -> None:
        if self._ready is not None:
            self._take_ready().errback(ConnectionError(reason))

    def _take_ready(self) -> Deferred[None]:
        ready, self._ready = self._ready, None
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        assert ready is not None
        return ready
