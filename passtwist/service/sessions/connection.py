"""One connection to a worker: carries one session at a time.

Runs in: the controller.  The hot path of a request: one send and one receive
for a small one.

Beside the running session it may have a follower: one that still waits, as far as the
pool knows, whose request lies ready for the worker (see `ahead` beside this module).
When the running session has ended the follower runs; before that it can be had back,
unless the worker has taken it: then the end of the running one has come, and is read.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from twisted.logger import Logger

from passtwist.api.failures import RequestFailure
from passtwist.errors import BadFrame, ForgedEnviron, WireError
from passtwist.service.sessions.ahead import Ahead
from passtwist.service.sessions.body_sender import BodySender
from passtwist.service.sessions.worker_socket import WorkerSocket
from passtwist.wire.frames import MAX_SESSION_PAYLOAD, FrameReader, encode_frame
from passtwist.wire.session import (
    AHEAD,
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
    from passtwist.service.sessions.connection_owner import ConnectionOwner
    from passtwist.service.sessions.session import Session
    from passtwist.wire.frames import Frame

READ_SIZE = 64 * 1024
# Of a frame that is larger than that, so much in one read.  One buffer for all,
# as nobody keeps it: memory that is used again is in the processor's cache.
_bulk = memoryview(bytearray(256 * 1024))
# How long a response that nobody reads may go on before its connection is
# closed, which the app sees as a failing write.
DISCARD_SECONDS = 5.0

_log = Logger(namespace="passtwist.service")
_FAILED = "passing on a response has failed"
_BROKEN = "the worker broke the session protocol: %s"


class Connection(WorkerSocket):
    """Tells its link what happens.

    :ivar slot: its place on the worker's scoreboard, -1 before READY.
    :ivar ahead: its follower.
    :raises OSError: nobody listens there any more.
    """

    def __init__(self, reactor: Reactor, link: ConnectionOwner, path: str) -> None:
        super().__init__(reactor, path)
        self._link = link
        self.slot = -1
        self._session: Session | None = None
        self._answering = False
        self._paused = False
        self._discarding: IDelayedCall | None = None
        self._is_streamed = False  # the request's body
        self._sender: BodySender | None = None  # once the app has asked for it
        self.ahead = Ahead()
        self._frames: deque[Frame] = deque()  # behind the one that is looked at
        self._reader = FrameReader(MAX_SESSION_PAYLOAD, BODY)
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
            data = start + encode_body_file(request.body_length)
            if not self._send_with(data, descriptor):
                self._lose()
        elif body:
            self._send(start + encode_body(body, last=True))
        else:
            self._send(start)

    @property
    def takes_follower(self) -> bool:
        """The worker has all of the running request."""
        return not (
            self._session is None or self._is_streamed or self._unsent or self._paused
        )

    def run_follower(self, session: Session) -> None:
        """The running session has ended: *session* followed it."""
        self._session = session
        self._answering = False
        session.carrier = self

    def settle(self) -> None:
        """Have no follower any more: it waits again, or it runs, for if the worker
        has taken it the end of the running session was sent before."""
        ahead = self.ahead
        follower = ahead.session
        if follower is None or ahead.take_back():
            return
        try:
            self._work_off()
            while ahead.session is follower and self._descriptor >= 0:
                if not self._read():
                    self._lose("the worker took a request before it had answered")
        except Exception:  # noqa: BLE001 - logged; who settles is not concerned
            _log.failure(_FAILED)
            self._lose(_FAILED)

    def send(self, data: bytes) -> bool:
        """See `body_sender.Line`."""
        self._send(data)
        return not self._unsent

    def pause(self) -> None:
        """The client is too slow and the spool is full."""
        if self.ahead.session is not None and not self.ahead.take_back():
            # All of the answer is on its way, and somebody's else behind it.
            return
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
            self._frames.clear()
            lost = self.ahead.close()
            if lost is not None:
                self._link.follower_lost(lost)

    def take_rest(self) -> None:
        """The worker is dead: read what it had sent, then be lost."""
        self._paused = False
        while self._descriptor >= 0 and self._read():
            pass
        self._lose()

    def doRead(self) -> None:
        """Frames from the worker."""
        if self._reader.left:
            self._read_bulk()
        else:
            self._read()

    def _read(self) -> bool:
        """Read once; False when there was nothing."""
        try:
            data = self._recv(READ_SIZE)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if data:
            self._received(data)
        else:
            self._lose()
        return True

    def _sent_all(self) -> None:
        if self._sender is not None:
            self._sender.proceed()

    def connectionLost(self, reason: Failure) -> None:
        """Whoever was told of a response has failed: nobody watches us any more."""
        try:
            self._work_off()  # answers to others may have come with it
            super().connectionLost(reason)
        finally:
            self._lose(_FAILED)

    def _read_bulk(self) -> None:
        """The next part of a large frame, handed on without a copy; for the reactor
        only, as a connection that is settled meanwhile must not use the buffer."""
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
        flags = self._reader.take(length)
        try:
            if length < size:
                self._frames.extend(self._reader.feed(bytes(_bulk[length:size])))
        except WireError as error:
            self._lose(_BROKEN % error)
            return
        self._body(session, flags, _bulk[:length])
        if self._frames:
            self._work_off()

    def _received(self, data: bytes) -> None:
        try:
            self._frames.extend(self._reader.feed(data))
        except WireError as error:
            self._lose(_BROKEN % error)
            return
        self._work_off()

    def _work_off(self) -> None:
        """Deal with the frames that have come.

        Somebody up the stack may be at it, and wait for what is told of one of
        them: the rest is ours.
        """
        frames = self._frames
        try:
            while frames:
                kind, flags, payload = frames.popleft()
                if kind == START and frames and not self._answering:
                    next_kind, next_flags, body = frames[0]
                    session = self._session
                    if next_kind == BODY and next_flags & LAST and session is not None:
                        # The usual case: a whole response in one read.
                        frames.popleft()
                        self._finished(session)
                        session.responder.answer(payload, body)
                        continue
                self._frame(kind, flags, payload)
        except WireError as error:
            self._lose(_BROKEN % error)

    def _frame(self, kind: int, flags: int, payload: bytes) -> None:
        session = self._session
        if session is None:
            if kind != READY or self.slot >= 0 or self._frames:
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
            if session.abandoned and self._session is session:
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
        if self._unsent or not is_read or self._says_more():
            # It answered before it had read the request: the rest of that
            # would be taken for the next one; or, as an app may read in its
            # close(), the next one for the rest of that.  Or it says more than
            # one answer: that would be taken for the answer to the next one.
            self.close()
            self._link.connection_lost(self, session)
        else:
            self._link.session_ended(self)

    def _says_more(self) -> bool:
        """Something has come that can't be the follower's answer."""
        if not (self._frames or self._reader.pending):
            return False
        follower = self.ahead.session
        return follower is None or not self._link.is_begun(self, follower)

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

    def give_ahead(self, descriptor: int) -> bool:
        """See `ahead.Giver`."""
        return self._descriptor >= 0 and self._send_with(
            encode_frame(AHEAD), descriptor
        )
