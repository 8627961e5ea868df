"""One client's connection: reads requests, one at a time, and keeps order.

Runs in: the controller.

A request is read whole, handed over, answered, and its answer taken by the
client, before the next is looked at.  What a client sends meanwhile is read
ahead a little, then left in the kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from zope.interface import implementer

from passtwist.http.body import check_announced
from passtwist.http.client_link import AT_A_REQUEST, State
from passtwist.http.deadlines import NEVER
from passtwist.http.half_closed import probe
from passtwist.http.output import Output, is_plain_socket
from passtwist.http.reception import receive, receive_unread
from passtwist.http.refusal import Refusal
from passtwist.http.request import Request
from passtwist.http.sending import prepare
from passtwist.http.streaming_link import StreamingLink

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from passtwist.http.body_stream import BodyStream
    from passtwist.http.door import Door
    from passtwist.http.environ import Origin
    from passtwist.http.exchange import Exchange
    from passtwist.http.framed_response import FramedResponse
    from passtwist.http.front import FrontEnd
    from passtwist.http.tunnel import Tunnel

# Requests that are answered at once, of one client in one turn of the reactor; then it
# is somebody else's.
_TURN = range(32)
# So long a client may take to say what it wants though others wait.
_MOMENT = 2.0  # seconds

_HEAD = State.HEAD
_BODY = State.BODY
_ANSWERING = State.ANSWERING


@implementer(IHalfCloseableProtocol)
class Connection(StreamingLink):
    """The protocol of one client.

    :ivar origin: who the client is; None before it is asked for.
    :ivar tunnel: what it has become by an upgrade, if any.
    """

    tunnel: Tunnel | None = None
    # App, request id and status of a response that the client has not taken yet.
    _unsent = ("", b"", 0)

    def __init__(self, front: FrontEnd, door: Door) -> None:
        super().__init__(front, door)
        self._searched = 0
        self._requests = 0
        self._advancing = False
        self.origin: Origin | None = None

    # --- Twisted's side -----------------------------------------------------------

    def connectionMade(self) -> None:
        front, transport = self.front, self.transport
        self._plain = is_plain_socket(transport)
        prepare(transport)
        self.output = Output(
            transport, self, self._limits, front.spool_dir, front.space, front.clock
        )
        front.connection_made(self)
        self.deadline = front.watch.after(self._limits.header_deadline)

    def dataReceived(self, data: bytes) -> None:
        state = self._state
        if state is _HEAD or state is _BODY:
            self._buffer = self._buffer + data if self._buffer else data
            if not self._advancing:
                self._advance()
        elif state is _ANSWERING or state is State.FLUSHING:
            self._buffer += data
            if len(self._buffer) > self._limits.read_ahead:
                self._pause_reading()
        elif state is State.STREAMING:
            self._stream_body(data)
        elif state is State.TUNNEL and self.tunnel is not None:
            self.tunnel.received(data)
        else:
            self._swallow(len(data))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._state = State.CLOSED
        self.deadline = NEVER
        self._leave_exchange()
        self.output.close()
        self.front.connection_lost(self)

    def readConnectionLost(self) -> None:
        """The client sends nothing more, but it may still read."""
        if self.tunnel is not None:
            self.tunnel.client_ended()
            return
        self.has_ended = self._reading_paused = True
        state = self._state
        if self._pace is not None or (state is _HEAD and self._buffer):
            self._refuse(_cut_off())
        elif state is State.STREAMING:
            self.abort()
        elif state is _ANSWERING:
            if self.exchange is not None:
                probe(self, self.exchange)
        elif state is _HEAD or state is State.LINGERING:
            self._lose()

    def writeConnectionLost(self) -> None:
        """Our side is closed, as we wished."""

    # --- the exchange's side --------------------------------------------------------

    def may_keep_alive(self) -> bool:
        """May another request follow on this connection?"""
        return (
            self._requests < self._limits.requests_per_connection
            and self.door.keeps_alive
            and self._stream is None
        )

    def exchange_ended(self, exchange: FramedResponse) -> None:
        """The response is complete as far as it will be."""
        self.exchange = None
        if self._stream is not None:
            self._leave_stream(exchange)
        if not exchange.keep_alive:
            unread = bool(self._buffer) or self._reading_paused
            self._linger = unread or not exchange.client_closes
            self._buffer = b""
            if self.output.waiting:
                self._state = State.CLOSING
            else:
                self._close()
        elif self.output.waiting:
            self._state = State.FLUSHING
        else:
            self._next_request()
            return
        self._unsent = (exchange.app, exchange.request_id, exchange.status)

    def become_tunnel(self, tunnel: Tunnel) -> bytes:
        """Its request was upgraded; answers with what the client has sent since."""
        self._state = State.TUNNEL
        self.deadline = NEVER
        self.tunnel = tunnel
        self._resume_reading()
        said, self._buffer = self._buffer, b""
        return said

    def end_tunnel(self) -> None:
        """If it was upgraded, let it end."""
        if self._state is State.TUNNEL and self.tunnel is not None:
            self.tunnel.leave()

    def _is_idle_tunnel(self) -> bool:
        return self._state is State.TUNNEL and not self.output.waiting

    # --- the output's side ------------------------------------------------------------

    def output_full(self) -> None:
        if self.exchange is not None:
            self.exchange.hold()

    def output_roomy(self) -> None:
        if self.exchange is not None:
            self.exchange.release()

    def output_drained(self) -> None:
        self._sending = None
        if self._state is _ANSWERING:
            self._set_deadline()
            if self.exchange is not None:
                self.exchange.release()
        elif self._state is State.STREAMING:
            if not self._reading_paused:
                self._expect_body()
            self.output_roomy()
        elif self._state is State.FLUSHING:
            self._next_request()
        elif self._state is State.CLOSING:
            self._close()

    def output_suffers(self, reason: str) -> None:
        app, request_id, status = self._unsent
        if self.exchange is not None:
            app, request_id = self.exchange.app, self.exchange.request_id
            status = self.exchange.status
        self.front.failure_log.report(app, request_id, status, reason)

    def output_lost(self) -> None:
        if self._state is not State.CLOSED:
            self.abort()

    # --- the front end's side ---------------------------------------------------------

    def deadline_passed(self) -> None:
        """Called by the watch."""
        state, now = self._state, self.front.watch.now
        if self._sending is not None and self._sending.is_too_slow(now):
            self.front.counters.timed_out += 1
            self.abort()
        elif self._is_in_time(now):
            self._set_deadline()
        elif (
            state is _BODY
            or state is State.STREAMING
            or (state is _HEAD and self._buffer.strip(b"\r\n"))
        ):
            self.front.counters.timed_out += 1
            self._refuse(Refusal(408, "the request took too long to arrive"))
        elif state is _HEAD or state is State.LINGERING or self._is_idle_tunnel():
            self._lose()
        elif state is _ANSWERING and self.exchange is not None:
            # Something sent meanwhile would have been answered with a reset.
            if self.exchange.sent == self._sent_then:
                self.abort()
        else:
            self.front.counters.timed_out += 1
            self.abort()

    @property
    def has_request(self) -> bool:
        """Is there a request whose response the client has not taken whole?"""
        return self._state in AT_A_REQUEST

    def idleness(self) -> tuple[int, float] | None:
        """See `Dispensable`: who was served, then who said nothing, then who drips."""
        if self._state is not _HEAD:
            return None
        if self._requests and not self._buffer:
            return 0, self.deadline
        since = self.deadline - self._limits.header_deadline
        if since + _MOMENT > self.front.watch.now:
            return None
        return (2 if self._buffer else 1), self.deadline

    def drain(self) -> None:
        """End as soon as no request is lost by it."""
        self.end_tunnel()
        if self._state is not _HEAD or self._buffer:
            return
        if self._requests:
            self._lose()
        else:
            # Just accepted: its first request may be on its way.
            self.deadline = min(self.deadline, self.front.watch.after(1.0))

    # --- reading ----------------------------------------------------------------------

    def _advance(self) -> None:
        """Go on with what is in the buffer, as far as that goes."""
        self._advancing = True
        try:
            for _ in _TURN:
                try:
                    if self._state is _HEAD:
                        if not self._read_head():
                            return
                    elif self._state is _BODY:
                        self._read_body()
                    else:
                        return
                except Refusal as refusal:
                    self._refuse(refusal)
                if not self._buffer:
                    return
            if self._state is _HEAD or self._state is _BODY:
                self._pause_reading()
                self.front.clock.callLater(0, self._go_on)
        finally:
            self._advancing = False

    def _go_on(self) -> None:
        """The next turn has come."""
        if self._state is _HEAD or self._state is _BODY:
            self._resume_reading()
            if self._buffer:
                self._advance()

    def _read_head(self) -> bool:
        front = self.front
        head = front.scanner.scan(self._buffer, self._searched)
        if head is None:
            if self.has_ended:
                raise _cut_off()
            if not self._searched and self._requests:
                self.deadline = front.watch.after(self._limits.header_deadline)
            self._searched = len(self._buffer)
            return False
        self._searched = 0
        self._buffer = self._buffer[head.end :]
        self._requests += 1
        exchange, site = receive(self, head)
        if head.chunked or head.content_length:
            check_announced(head, site.max_body)
            if site.buffer_requests:
                self._begin_body(head, site.max_body)
            else:
                self._begin_stream(exchange, head, site.max_body)
        else:
            self._submit(exchange, b"", None, head.content_length)
        return True

    def _submit(
        self,
        exchange: Exchange,
        body: bytes,
        descriptor: int | None,
        length: int | None,
        stream: BodyStream | None = None,
    ) -> None:
        head = exchange.head
        if head is None:
            raise AssertionError("a request without a head")
        pairs = exchange.pairs
        if length is not None:
            pairs = [*pairs, b"CONTENT_LENGTH", b"%d" % length]
        line = head.line
        exchange.request = Request(
            pairs,
            line.method,
            line.target,
            body,
            descriptor,
            (length or 0) if stream is None else stream.length,
            stream,
            head.upgrade,
        )
        if stream is None:
            self._state = _ANSWERING
            self.deadline = NEVER
        else:
            self._state = State.STREAMING
        self.front.submit(exchange)

    def _next_request(self) -> None:
        self._state = _HEAD
        front = self.front
        self.deadline = front.watch.after(self._limits.keep_alive)
        if self._reading_paused:
            self._resume_reading()
        if self._buffer:
            if not self._advancing:
                self._advance()
        elif self.has_ended or self.door.is_closed:
            self._lose()

    # --- ending -----------------------------------------------------------------------

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with an error page instead of asking an app."""
        self.front.counters.refused += 1
        exchange = self.exchange
        if exchange is None:
            exchange = receive_unread(self)
        self._drop_body()
        self._state = _ANSWERING
        self._set_deadline()
        exchange.refuse(refusal)

    def _leave_exchange(self) -> None:
        if self.has_ended:
            self.front.half_closed.forget(self)
        exchange, self.exchange = self.exchange, None
        if exchange is not None and exchange.connection is not None:
            exchange.client_left()
        self._drop_body()


def _cut_off() -> Refusal:
    # RFC 9112, 8: who has closed its side only can read this.
    return Refusal(400, "the client closed its side before the request was complete")
