"""One connection to a worker that speaks HTTP/1.1: carries one request at a time.

Runs in: the controller.

Such a worker has no scoreboard, so a request counts as begun once a single byte of
it was written.  A connection that the worker has closed meanwhile takes none: on a
Unix socket the first write says so, and the request goes on another.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Protocol

from passtwist.api.failures import RequestFailure
from passtwist.api.requests import variable
from passtwist.api.selectable import Selectable
from passtwist.errors import BadFrame
from passtwist.service.sessions.dying import is_dying
from passtwist.service.sessions.http_body import HttpBody
from passtwist.service.sessions.worker_end import WorkerEnd
from passtwist.service.sessions.worker_socket import connected
from passtwist.wire.http_responses import (
    BODY,
    END,
    HEAD,
    INTERIM,
    UPGRADE,
    ResponseReader,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

    from passtwist.api.reactors import Reactor
    from passtwist.service.sessions.session import Session
    from passtwist.wire.http_responses import Event

READ_SIZE = 64 * 1024
# Of a spooled body, at a time.
_PIECE = 256 * 1024
# How long a response that nobody reads may go on, as on a session's connection.
DISCARD_SECONDS = 5.0


class Link(Protocol):
    """All connections of one worker."""

    def session_ended(self, carrier: HttpCarrier) -> None:
        """Its session is over; the carrier is open if it can have another."""

    def connection_lost(self, carrier: HttpCarrier, session: Session | None) -> None:
        """It is closed, and *session*, if any, is failed unless it was not begun."""


class HttpCarrier(Selectable):
    """Connects at once; tells its link what happens.

    :ivar is_answering: the head of the response has come, and not yet its end.
    :ivar is_begun: bytes of the request were written.
    :ivar tunnel: the worker's end of an upgraded connection, or None.
    :ivar idle_since: reactor seconds at which it was last put away.
    :raises OSError: nobody listens there; BlockingIOError: too many wait already.
    """

    def __init__(self, reactor: Reactor, link: Link, path: str) -> None:
        self._link = link
        self._socket = connected(path)
        super().__init__(reactor, self._socket.fileno())
        self.is_answering = self.is_begun = False
        self.tunnel: WorkerEnd | None = None
        self.idle_since = 0.0
        self._session: Session | None = None
        self._reader = ResponseReader()
        self._paused = self._is_half_closed = False
        self._discarding: IDelayedCall | None = None
        self._unsent = b""
        self._body: HttpBody | None = None  # that is streamed
        self._file = -1  # of a spooled body, a descriptor of our own
        self._offset = self._left = 0
        reactor.addReader(self)

    @property
    def is_open(self) -> bool:
        """It may carry a request."""
        return self._descriptor >= 0

    def run(self, session: Session, head: bytes, upgrade: bytes) -> None:
        """Send *session*'s request; the link must have found us idle.

        :param head: the request's.
        :param upgrade: the protocol that it offers, in lower case; b"" for none.
        :raises OSError: nothing was sent; the carrier is of no use.
        """
        request = session.request
        file = -1 if request.body_file is None else os.dup(request.body_file)
        data = head + request.body
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            if file >= 0:
                os.close(file)
            raise
        self.is_answering, self.is_begun = False, sent > 0
        self._reader = ResponseReader(request.method == b"HEAD", upgrade)
        self._session = session
        session.carrier = self
        self._unsent = data[sent:]
        self._file, self._offset = file, 0
        self._left = request.body_length if file >= 0 else 0
        if self._unsent or self._left:
            self._reactor.addWriter(self)
        if request.body_stream is not None:
            is_chunked = not variable(request, b"CONTENT_LENGTH")
            self._body = HttpBody(self, request.body_stream, is_chunked)
            self._body.begin()

    def send(self, data: bytes) -> bool:
        """Send more of a streamed body; False when the worker has to read first."""
        if self._descriptor < 0:
            return False
        if not self._unsent:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                return False  # it reads no more; reading tells what became of it
            self.is_begun = self.is_begun or sent > 0
            if sent == len(data):
                return True
            data = data[sent:]
            self._reactor.addWriter(self)
        self._unsent += data
        return False

    def send_no_more(self) -> None:
        """A streamed body ends before its end: the worker sees that."""
        if self._descriptor >= 0 and not self._is_half_closed:
            self._is_half_closed = True
            self._socket.shutdown(socket.SHUT_WR)

    def pause(self) -> None:
        """The client is too slow and the spool is full."""
        self._paused = True
        self._reactor.removeReader(self)

    def resume(self) -> None:
        """Go on after `pause`."""
        if self._paused and self._descriptor >= 0:
            self._paused = False
            self._reactor.addReader(self)

    def discard(self) -> None:
        """The client is gone: let the worker know, and drop what it says."""
        if self.tunnel is not None:
            self.tunnel.close()
            return
        self.resume()
        body = self._body
        if self._unsent or self._left or (body is not None and not body.is_over):
            self._lose("its client left before the request was sent")
            return
        if self._descriptor >= 0:
            # Servers for asynchronous apps tell these; one that does not look
            # answers as if nothing had happened, and its place is taken until then.
            self.send_no_more()
        if self.is_answering:
            self._limit_discarding()

    def close(self) -> None:
        """Close it; tells nobody.  Harmless when closed."""
        if self.tunnel is not None:
            self.tunnel.drop()
        if self._descriptor >= 0:
            self._stop_discarding()
            self._stop_sending()
            self._leave_body()
            self.unwatch()
            self._descriptor = -1
            self._socket.close()

    def take_rest(self) -> None:
        """The worker is dead: read what it had sent, then be lost."""
        if self.tunnel is not None:
            self.tunnel.take_rest()
        self._paused = False
        while self._descriptor >= 0:
            try:
                data = self._socket.recv(READ_SIZE)
            except OSError:
                break
            if not data:
                break
            self._received(data)
        self._lose()

    # --- the reactor's side ---------------------------------------------------

    def doRead(self) -> None:
        """A response, or a part of it."""
        try:
            data = self._socket.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            self._lose()
            return
        if data:
            self._received(data)
        else:
            self._ended()

    def doWrite(self) -> None:
        """What did not fit the socket's buffer before."""
        try:
            if self._unsent:
                sent = self._socket.send(self._unsent)
                self._unsent = self._unsent[sent:]
            else:
                count = min(self._left, _PIECE)
                sent = os.sendfile(self._descriptor, self._file, self._offset, count)
                if not sent:
                    self._lose("the file with the request's body is too short")
                    return
                self._offset += sent
                self._left -= sent
            self.is_begun = self.is_begun or sent > 0
        except BlockingIOError:
            return
        except OSError:
            # It reads no more.  It may have answered, and reading tells.
            self._reactor.removeWriter(self)
            return
        if not (self._unsent or self._left):
            self._stop_sending()
            if self._body is not None:
                self._body.proceed()

    def connectionLost(self, reason: Failure) -> None:
        """Whoever was told of a response has failed: nobody watches us any more."""
        try:
            super().connectionLost(reason)
        finally:
            self._lose("passing on a response has failed")

    # --- inside ---------------------------------------------------------------

    def _received(self, data: bytes) -> None:
        session = self._session
        if session is None:
            # Nothing was asked: it would be taken for the next one's answer.
            self._lose()
            return
        try:
            events = self._reader.feed(data)
        except BadFrame as error:
            self._lose(f"the worker does not speak HTTP/1.1 as it should: {error}")
            return
        self._deliver(session, events)

    def _ended(self) -> None:
        session = self._session
        if (
            session is not None
            and self._reader.is_ended_by_close
            # That a killed worker's response ended is nothing to be believed.
            and not is_dying(session.worker_pid)
        ):
            self._deliver(session, self._reader.end())
        else:
            self._lose()

    def _deliver(self, session: Session, events: Sequence[Event]) -> None:
        if not self.is_answering and events and events[-1][0] == END:
            kinds = [kind for kind, _ in events]
            if kinds in ([HEAD, END], [HEAD, BODY, END]):
                # The usual case: a whole response in one read.
                body = events[1][1]
                self._finished(session)
                session.responder.answer(events[0][1], body)
                return
        for kind, payload in events:
            if kind == BODY:
                session.responder.write(payload)
            elif kind == HEAD:
                self.is_answering = True
                session.responder.begin(payload)
                if session.abandoned:
                    self._limit_discarding()
            elif kind == END:
                self._finished(session)
                session.responder.finish()
            elif kind == INTERIM:
                session.responder.interim(payload)
            elif kind == UPGRADE:
                self._upgraded(session, payload)
            if self._session is not session:
                return

    def _upgraded(self, session: Session, head: bytes) -> None:
        """From now on it is no HTTP, and its end is the session's."""
        self.unwatch()
        self._stop_discarding()
        rest = self._reader.rest
        self.tunnel = tunnel = WorkerEnd(self._reactor, self._socket, self._tunnel_over)
        self._descriptor = -1
        client = session.responder.upgrade(head, tunnel)
        if client is None:
            tunnel.close()
        else:
            tunnel.begin(client, rest)

    def _tunnel_over(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.ended = True
            session.carrier = None
            self._link.session_ended(self)

    def _finished(self, session: Session) -> None:
        """Free the worker before the client is written to, as for any session."""
        session.ended = True
        session.carrier = None
        self._session = None
        self.is_answering = False
        if self._paused:
            self.resume()
        self._stop_discarding()
        reader, body = self._reader, self._body
        if (
            not reader.is_reusable
            or reader.rest
            or (body is not None and not body.is_over)
            or self._unsent
            or self._left
            or self._is_half_closed
        ):
            self.close()
        self._leave_body()
        self._link.session_ended(self)

    def _leave_body(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.leave()

    def _lose(self, reason: str = "") -> None:
        if self._descriptor < 0:
            return
        self.close()
        session, self._session = self._session, None
        if session is not None:
            session.carrier = None
            if self.is_begun:
                what = "response" if self.is_answering else "request"
                reason = reason or f"the worker closed the connection in the {what}"
                session.fail(RequestFailure(502, reason))
        self._link.connection_lost(self, session)

    def _stop_sending(self) -> None:
        self._reactor.removeWriter(self)
        self._unsent, self._left = b"", 0
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _limit_discarding(self) -> None:
        if self._discarding is None and self._descriptor >= 0:
            self._discarding = self._reactor.callLater(
                DISCARD_SECONDS, self._discarded_enough
            )

    def _discarded_enough(self) -> None:
        self._discarding = None
        self._lose("the response did not end though its client is gone")

    def _stop_discarding(self) -> None:
        if self._discarding is not None:
            self._discarding.cancel()
            self._discarding = None
