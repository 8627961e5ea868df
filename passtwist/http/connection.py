"""One client's connection: reads requests, one at a time, and keeps order.

Runs in: the controller.

A request is read whole, handed over, answered, and its answer taken by the
client, before the next is looked at.  What a client sends meanwhile is read
ahead a little, then left in the kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from zope.interface import alsoProvides

from passtwist.http.body import BodyReader, check_announced, decoder_of
from passtwist.http.body_stream import BodyStream
from passtwist.http.client_link import AT_A_REQUEST, State
from passtwist.http.deadlines import NEVER
from passtwist.http.output import Output, is_plain_socket
from passtwist.http.reception import receive, receive_unread
from passtwist.http.refusal import Refusal
from passtwist.http.request import Request
from passtwist.http.streaming_link import CONTINUE, StreamingLink

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from passtwist.http.door import Door
    from passtwist.http.environ import Origin
    from passtwist.http.exchange import Exchange
    from passtwist.http.framed_response import FramedResponse
    from passtwist.http.front import FrontEnd
    from passtwist.http.scanner import RequestHead
    from passtwist.http.tunnel import Tunnel

_HEAD = State.HEAD
_BODY = State.BODY
_ANSWERING = State.ANSWERING


class Connection(StreamingLink):
    """The protocol of one client.

    :ivar origin: who the client is; None before it is asked for.
    :ivar tunnel: what it has become by an upgrade, if any.
    """

    tunnel: Tunnel | None = None

    def __init__(self, front: FrontEnd, door: Door) -> None:
        super().__init__(front, door)
        self._buffer = b""
        self._searched = 0
        self._requests = 0
        self._advancing = False
        self.origin: Origin | None = None
        self._body: BodyReader | None = None

    # --- Twisted's side -----------------------------------------------------------

    def connectionMade(self) -> None:
        front, transport = self.front, self.transport
        self._plain = is_plain_socket(transport)
        if self._plain and isinstance(transport.getPeer(), IPv4Address | IPv6Address):
            # Heads and bodies of streamed responses are small separate writes.
            transport.setTcpNoDelay(True)
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

    def readConnectionLost(self) -> None:
        """The client sends no more.  Asked for in a tunnel only."""
        if self.tunnel is not None:
            self.tunnel.client_ended()

    def writeConnectionLost(self) -> None:
        """Our own side is closed."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._state = State.CLOSED
        self.deadline = NEVER
        self._leave_exchange()
        self.output.close()
        self.front.connection_lost(self)

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
            self._linger = not exchange.client_closes
            self._buffer = b""
            if self.output.waiting:
                self._state = State.CLOSING
            else:
                self._close()
        elif self.output.waiting:
            self._state = State.FLUSHING
        else:
            self._next_request()

    def become_tunnel(self, tunnel: Tunnel) -> bytes:
        """Its request was upgraded; answers with what the client has sent since."""
        self._state = State.TUNNEL
        self.deadline = NEVER
        self.tunnel = tunnel
        if self._plain:
            alsoProvides(self, IHalfCloseableProtocol)
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

    def output_progressed(self) -> None:
        if self._state is not State.CLOSED:
            self.deadline = self.front.watch.after(self._limits.send_timeout)

    def output_drained(self) -> None:
        if self._state is _ANSWERING:
            self.deadline = NEVER
            if self.exchange is not None:
                self.exchange.release()
        elif self._state is State.STREAMING:
            self._expect_body()
            self.output_roomy()
        elif self._state is State.FLUSHING:
            self._next_request()
        elif self._state is State.CLOSING:
            self._close()

    def output_lost(self) -> None:
        if self._state is not State.CLOSED:
            self.abort()

    # --- the front end's side ---------------------------------------------------------

    def deadline_passed(self) -> None:
        """Called by the watch."""
        state = self._state
        is_streaming = state is State.STREAMING and not self.output.waiting
        if state is _BODY or (state is _HEAD and self._buffer) or is_streaming:
            self.front.counters.timed_out += 1
            self._refuse(Refusal(408, "the request took too long to arrive"))
        elif state is _HEAD or state is State.LINGERING or self._is_idle_tunnel():
            self._lose()
        else:
            self.front.counters.timed_out += 1
            self.abort()

    @property
    def has_request(self) -> bool:
        """Is there a request whose response the client has not taken whole?"""
        return self._state in AT_A_REQUEST

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
            going_on = True
            while going_on and self._buffer:
                try:
                    if self._state is _HEAD:
                        going_on = self._read_head()
                    elif self._state is _BODY:
                        self._read_body()
                    else:
                        going_on = False
                except Refusal as refusal:
                    self._refuse(refusal)
        finally:
            self._advancing = False

    def _read_head(self) -> bool:
        front = self.front
        head = front.scanner.scan(self._buffer, self._searched)
        if head is None:
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

    def _begin_body(self, head: RequestHead, max_body: int) -> None:
        if head.expects_continue and not self._buffer:
            self.output.write(CONTINUE)
        self._state = _BODY
        front = self.front
        self._body = BodyReader(
            head, max_body, self._limits, front.spool_dir, front.space
        )
        self.deadline = self.front.watch.after(self._limits.body_read_timeout)

    def _read_body(self) -> None:
        body, exchange = self._body, self.exchange
        if body is None or exchange is None:
            raise AssertionError("reading a body without a request")
        self.deadline = self.front.watch.after(self._limits.body_read_timeout)
        data, self._buffer = self._buffer, b""
        self._buffer = body.feed(data)
        if body.finished:
            memory, descriptor = body.take()
            self._body = None
            self._submit(exchange, memory, descriptor, body.length)

    def _begin_stream(
        self, exchange: Exchange, head: RequestHead, max_body: int
    ) -> None:
        decoder = decoder_of(head, max_body, self._limits)
        stream = BodyStream(self, decoder, self._limits.body_memory)
        data, self._buffer = self._buffer, b""
        self._buffer = stream.feed(data)
        if stream.finished:
            self._submit(exchange, stream.take(), None, stream.length)
            return
        self._stream = stream
        if head.expects_continue and not data:
            # It is the app that lets it wait.
            self._expect_body(NEVER)
        else:
            self._expect_body()
        self._submit(exchange, b"", None, head.content_length, stream)

    def _stream_body(self, data: bytes) -> None:
        stream = self._stream
        if stream is None:
            raise AssertionError("reading a body without a request")
        try:
            rest = stream.feed(data)
        except Refusal as refusal:
            self._refuse(refusal)
            return
        if stream.finished:
            self._stream = None
            self._buffer = rest
            self._state = _ANSWERING
            if not self.output.waiting:
                self.deadline = NEVER
        else:
            self._expect_body()

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
            (length or 0) if stream is None else 0,
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
        elif self.door.is_closed:
            self._lose()

    # --- ending -----------------------------------------------------------------------

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with an error page instead of asking an app."""
        self.front.counters.refused += 1
        exchange = self.exchange
        if exchange is None:
            exchange = receive_unread(self)
        if self._body is not None:
            self._body.close()
            self._body = None
        if self._stream is not None:
            self._break_stream()
        self._state = _ANSWERING
        self.deadline = NEVER
        exchange.refuse(refusal)

    def _leave_exchange(self) -> None:
        exchange, self.exchange = self.exchange, None
        if exchange is not None and exchange.connection is not None:
            exchange.client_left()
        if self._stream is not None:
            self._break_stream()
        if self._body is not None:
            self._body.close()
            self._body = None
