"""One connection to a worker: carries one session at a time.

Runs in: the controller.  The hot path of a request: one send and one receive
for a small one, no Twisted transport in between (its Unix transport goes
through recvmsg and a write buffer, which costs more than the rest of it).
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Protocol

from passtwist.api.failures import RequestFailure
from passtwist.api.selectable import Selectable
from passtwist.errors import BadFrame, ForgedEnviron, WireError
from passtwist.service.body_sender import BodySender
from passtwist.wire.frames import MAX_SESSION_PAYLOAD, FrameReader
from passtwist.wire.session import (
    BODY,
    END,
    FAIL,
    INTERIM,
    LAST,
    READY,
    START,
    STREAMED,
    WANT,
    decode_ready,
    encode_body,
    encode_body_file,
    encode_request_start,
)

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

    from passtwist.api.reactors import Reactor
    from passtwist.service.session import Session

READ_SIZE = 64 * 1024
# Of a frame that is larger than that, so much in one read.  One buffer for all,
# as nobody keeps it: memory that is used again is in the processor's cache.
_bulk = memoryview(bytearray(256 * 1024))
# How long a response that nobody reads may go on before its connection is
# closed, which the app sees as a failing write.
DISCARD_SECONDS = 5.0


class Link(Protocol):
    """All connections of one worker."""

    def connection_ready(self, connection: Connection) -> None:
        """READY has come: it is capacity now."""

    def session_ended(self, connection: Connection) -> None:
        """The session is over and the connection can carry the next."""

    def connection_lost(self, connection: Connection, session: Session | None) -> None:
        """It is closed; *session*, ended or not, still has its place in the pool."""


class Connection(Selectable):
    """Connects at once; tells its link what happens.

    :ivar slot: its place on the worker's scoreboard, -1 before READY.
    :raises OSError: nobody listens there any more.
    """

    def __init__(self, reactor: Reactor, link: Link, path: str) -> None:
        self._link = link
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        try:
            # A Unix connect is done at once or refused; the backlog is larger
            # than what we ever open, so it does not block either.
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        super().__init__(reactor, self._socket.fileno())
        self.slot = -1
        self._session: Session | None = None
        self._answering = False
        self._paused = False
        self._discarding: IDelayedCall | None = None
        self._unsent = b""
        self._is_streamed = False  # the request's body
        self._sender: BodySender | None = None  # once the app has asked for it
        self._has_more = False  # frames behind the one that is looked at
        self._reader = FrameReader(MAX_SESSION_PAYLOAD, BODY)
        self._recv = self._socket.recv
        self._send_now = self._socket.send
        reactor.addReader(self)

    @property
    def is_answering(self) -> bool:
        """The head of the response has come, and not yet its end."""
        return self._answering

    def run(self, session: Session) -> None:
        """Send *session*'s request; the link must have found us idle."""
        self._session = session
        self._answering = False
        session.carrier = self
        request = session.request
        descriptor = request.body_file
        body = request.body
        flags = 0 if body or descriptor is not None else LAST
        if request.body_stream is not None:
            flags = LAST | STREAMED
        try:
            start = encode_request_start(session.number, request.pairs, flags)
        except ForgedEnviron as error:
            self._finished(session)
            session.responder.fail(RequestFailure(400, str(error)))
            return
        self._is_streamed = request.body_stream is not None
        if descriptor is not None:
            self._send_with(start + encode_body_file(request.body_length), descriptor)
        elif body:
            self._send(start + encode_body(body, last=True))
        else:
            self._send(start)

    def send(self, data: bytes) -> bool:
        """See `body_sender.Line`."""
        self._send(data)
        return not self._unsent

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
        """The client is gone; what comes is dropped, but not for ever."""
        self.resume()
        if self._answering:
            self._limit_discarding()

    def close(self) -> None:
        """Close it; tells nobody.  Harmless when closed."""
        if self._descriptor >= 0:
            self._stop_discarding()
            self._leave_body()
            self.unwatch()
            self._descriptor = -1
            self._socket.close()

    def take_rest(self) -> None:
        """The worker is dead: read what it had sent, then be lost."""
        self._paused = False
        while self._descriptor >= 0:
            try:
                data = self._recv(READ_SIZE)
            except OSError:
                break
            if not data:
                break
            self._received(data)
        self._lose()

    def doRead(self) -> None:
        """Frames from the worker."""
        if self._reader.left:
            self._read_bulk()
            return
        try:
            data = self._recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._received(data)
        else:
            self._lose()

    def doWrite(self) -> None:
        """What did not fit the socket's buffer before."""
        unsent, self._unsent = self._unsent, b""
        self._reactor.removeWriter(self)
        self._send(unsent)
        if self._sender is not None and not self._unsent:
            self._sender.proceed()

    def connectionLost(self, reason: Failure) -> None:
        """Whoever was told of a response has failed: nobody watches us any more."""
        try:
            super().connectionLost(reason)
        finally:
            self._lose("passing on a response has failed")

    def _read_bulk(self) -> None:
        """The next part of a large frame, handed on without a copy."""
        try:
            size = self._socket.recv_into(_bulk)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if not size:
            self._lose()
            return
        session = self._session
        if session is None:
            raise AssertionError("part of a body while no session is running")
        length = min(size, self._reader.left)
        self._has_more = length < size
        self._body(session, self._reader.take(length), _bulk[:length])
        if length < size and self._descriptor >= 0:
            self._received(bytes(_bulk[length:size]))

    def _received(self, data: bytes) -> None:
        try:
            frames = self._reader.feed(data)
            session = self._session
            if session is not None and not self._answering and len(frames) == 2:
                # The fast path: a whole response in one read.
                (kind, flags, head), (kind2, flags2, body) = frames
                if kind == START and kind2 == BODY and flags2 & LAST:
                    self._finished(session)
                    session.responder.answer(head, body)
                    return
            last = len(frames) - 1
            for index, (kind, flags, payload) in enumerate(frames):
                self._has_more = index < last
                self._frame(kind, flags, payload)
                if self._descriptor < 0:
                    return
        except WireError as error:
            self._lose(f"the worker broke the session protocol: {error}")

    def _frame(self, kind: int, flags: int, payload: bytes) -> None:
        session = self._session
        if session is None:
            if kind != READY or self.slot >= 0 or self._has_more:
                raise BadFrame(f"frame of type {kind} while no session is running")
            self.slot = decode_ready(payload)
            self._link.connection_ready(self)
        elif kind == BODY and self._answering:
            self._body(session, flags, payload)
        elif kind == START and not self._answering:
            if flags & LAST:
                self._finished(session)
                session.responder.answer(payload, b"")
                return
            self._answering = True
            session.responder.begin(payload)
            if session.abandoned:
                self._limit_discarding()
        elif kind == END and self._answering:
            self._finished(session)
            session.responder.finish()
        elif kind == INTERIM and not self._answering:
            session.responder.interim(payload)
        elif kind == WANT and self._sender is None:
            self._send_body(session)
        elif kind == FAIL:
            self._lose("the app raised an exception during its response")
        else:
            raise BadFrame(f"frame of type {kind} out of order")

    def _body(self, session: Session, flags: int, payload: bytes | memoryview) -> None:
        if flags & LAST:
            self._finished(session)
            session.responder.write(payload)
            session.responder.finish()
        else:
            session.responder.write(payload)

    def _finished(self, session: Session) -> None:
        """Free the worker before the client is written to: the worker should
        not wait for us, and the pool must be right when the client's next,
        pipelined request asks for a worker."""
        session.ended = True
        session.carrier = None
        self._session = None
        if self._paused:
            self.resume()
        if self._discarding is not None:
            self._stop_discarding()
        is_read = not self._is_streamed or self._leave_body()
        if self._unsent or self._has_more or self._reader.pending or not is_read:
            # It answered before it had read the request: the rest of that
            # would be taken for the next one; or, as an app may read in its
            # close(), the next one for the rest of that.  Or it says more than
            # one answer: that would be taken for the answer to the next one.
            self.close()
            self._link.connection_lost(self, session)
        else:
            self._link.session_ended(self)

    def _lose(self, reason: str = "") -> None:
        if self._descriptor < 0:
            return
        self.close()
        session, self._session = self._session, None
        if session is not None:
            session.carrier = None
            if reason or self._answering:
                session.fail(
                    RequestFailure(502, reason or "the worker died during its response")
                )
        self._link.connection_lost(self, session)

    def _send_body(self, session: Session) -> None:
        stream = session.request.body_stream
        if stream is None:
            raise BadFrame("the worker wants a body that is not streamed")
        self._sender = BodySender(self, stream)
        self._sender.begin()

    def _leave_body(self) -> bool:
        """Send no more of a streamed body; False when the worker may wait for it."""
        sender, self._sender = self._sender, None
        if sender is None:
            return False
        sender.leave()
        return sender.is_over

    def _limit_discarding(self) -> None:
        if self._discarding is None:
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

    def _send(self, data: bytes) -> None:
        if self._unsent:
            self._unsent += data
            return
        try:
            sent = self._send_now(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            # It is gone; end-of-file tells what became of the session.
            return
        if sent < len(data):
            self._unsent = data[sent:]
            self._reactor.addWriter(self)

    def _send_with(self, data: bytes, descriptor: int) -> None:
        """Send *data* with a descriptor; nothing is unsent at that point."""
        try:
            sent = socket.send_fds(self._socket, [data], [descriptor])
        except BlockingIOError:
            # The buffer of an idle connection is empty, so this is a kernel
            # short of memory for the message.
            self._lose()
            return
        except OSError:
            return
        if sent < len(data):
            self._unsent = data[sent:]
            self._reactor.addWriter(self)
