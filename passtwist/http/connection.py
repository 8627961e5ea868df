"""One client's connection: reads requests, one at a time, and keeps order.

Runs in: the controller.

A request is read whole, handed over, answered, and its answer taken by the
client, before the next is looked at.  What a client sends meanwhile is read
ahead a little, then left in the kernel.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone

from passtwist.http.body import BodyReader, check_announced
from passtwist.http.deadlines import NEVER
from passtwist.http.environ import Origin, request_pairs
from passtwist.http.exchange import Exchange
from passtwist.http.output import Output, is_plain_socket
from passtwist.http.refusal import Refusal
from passtwist.http.request import Request

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from passtwist.http.door import Door
    from passtwist.http.front import FrontEnd
    from passtwist.http.scanner import RequestHead

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class State(Enum):
    """What a connection is doing; the order of a request's life, then its end."""

    HEAD = "waiting for a request's head"
    BODY = "reading its body"
    ANSWERING = "waiting for its response"
    FLUSHING = "waiting until the client has taken the response"
    CLOSING = "the same, and then it ends"
    LINGERING = "our side is closed, the client may read what we said"
    CLOSED = "over"


_HEAD = State.HEAD
_BODY = State.BODY
_ANSWERING = State.ANSWERING
_AT_A_REQUEST = (State.BODY, State.ANSWERING, State.FLUSHING, State.CLOSING)


class Connection(Protocol):
    """The protocol of one client.

    :ivar door: which listening port it came in by.
    :ivar deadline: reactor seconds; see `passtwist.http.deadlines`.
    """

    transport: Any  # any of Twisted's stream transports
    output: Output

    def __init__(self, front: FrontEnd, door: Door) -> None:
        self.front = front
        self.door = door
        self.deadline = NEVER
        self._limits = front.limits
        self._state = _HEAD
        self._buffer = b""
        self._searched = 0
        self._requests = 0
        self._advancing = False
        self._reading_paused = False
        self._swallowed = 0
        self._origin: Origin | None = None
        self._exchange: Exchange | None = None
        self._body: BodyReader | None = None

    # --- Twisted's side -----------------------------------------------------------

    def connectionMade(self) -> None:
        front, transport = self.front, self.transport
        self._plain = is_plain_socket(transport)
        if self._plain and isinstance(transport.getPeer(), IPv4Address | IPv6Address):
            # Heads and bodies of streamed responses are small separate writes.
            transport.setTcpNoDelay(True)
        self.output = Output(transport, self, self._limits, front.spool_dir)
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
        else:
            self._swallow(len(data))

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
        )

    def exchange_ended(self, exchange: Exchange) -> None:
        """The response is complete as far as it will be."""
        self._exchange = None
        if not exchange.keep_alive:
            self._linger = not exchange.client_closes
            if self.output.waiting:
                self._state = State.CLOSING
            else:
                self._close()
        elif self.output.waiting:
            self._state = State.FLUSHING
        else:
            self._next_request()

    def abort(self) -> None:
        """End the connection so that nothing sent can be taken for complete."""
        self._state = State.CLOSED
        self.deadline = NEVER
        self._leave_exchange()
        self.transport.abortConnection()

    # --- the output's side ------------------------------------------------------------

    def output_full(self) -> None:
        if self._exchange is not None:
            self._exchange.hold()

    def output_progressed(self) -> None:
        if self._state is not State.CLOSED:
            self.deadline = self.front.watch.after(self._limits.send_timeout)

    def output_drained(self) -> None:
        if self._state is _ANSWERING:
            self.deadline = NEVER
            if self._exchange is not None:
                self._exchange.release()
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
        if state is _BODY or (state is _HEAD and self._buffer):
            self.front.counters.timed_out += 1
            self._refuse(Refusal(408, "the request took too long to arrive"))
        elif state is _HEAD or state is State.LINGERING:
            self._lose()
        else:
            self.front.counters.timed_out += 1
            self.abort()

    @property
    def has_request(self) -> bool:
        """Is there a request whose response the client has not taken whole?"""
        return self._state in _AT_A_REQUEST

    def drain(self) -> None:
        """End as soon as no request is lost by it."""
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
        self._accept(head)
        return True

    def _accept(self, head: RequestHead) -> None:
        """Find the app for a request and see that its body is allowed.

        :raises Refusal: see there.
        """
        front, origin = self.front, self._origin or self._learn_origin()
        front.counters.requests += 1
        front.counters.unsafe_names += head.unsafe_names
        request_id, remote, pairs = front.next_request_id(), origin.remote, origin.pairs
        forwarded = None
        if head.forwarding and origin.trusted:
            forwarded = front.trust.forwarded(head.forwarding)
            request_id = forwarded.request_id or request_id
            remote = forwarded.client or remote
            pairs = origin.pairs_for(forwarded.client, forwarded.scheme)
            pairs += forwarded.pairs
        exchange = Exchange(self, head, request_id, remote)
        self._exchange = exchange
        has_body = head.chunked or bool(head.content_length)
        route = front.router.find(head.host, head.line.path)
        if route is None:
            raise Refusal(404, "no app is configured for this address", has_body)
        site = route.site
        exchange.app, exchange.environment = site.app, site.environment
        exchange.pairs = request_pairs(head, route.script_name, request_id, pairs)
        if has_body:
            check_announced(head, site.max_body)
            self._begin_body(head, site.max_body)
        else:
            self._submit(exchange, b"", None, head.content_length)

    def _learn_origin(self) -> Origin:
        """Who the client is.  Asked late: behind ``haproxy:`` it says so first."""
        transport = self.transport
        self._origin = origin = Origin(
            transport.getPeer(),
            transport.getHost(),
            ISSLTransport.providedBy(transport),
            self.front.trust,
        )
        return origin

    def _begin_body(self, head: RequestHead, max_body: int) -> None:
        if head.expects_continue and not self._buffer:
            self.output.write(_CONTINUE)
        self._state = _BODY
        self._body = BodyReader(head, max_body, self._limits, self.front.spool_dir)
        self.deadline = self.front.watch.after(self._limits.body_read_timeout)

    def _read_body(self) -> None:
        body, exchange = self._body, self._exchange
        if body is None or exchange is None:
            raise AssertionError("reading a body without a request")
        self.deadline = self.front.watch.after(self._limits.body_read_timeout)
        data, self._buffer = self._buffer, b""
        self._buffer = body.feed(data)
        if body.finished:
            memory, descriptor = body.take()
            self._body = None
            self._submit(exchange, memory, descriptor, body.length)

    def _submit(
        self,
        exchange: Exchange,
        body: bytes,
        descriptor: int | None,
        length: int | None,
    ) -> None:
        head = exchange.head
        if head is None:
            raise AssertionError("a request without a head")
        pairs = exchange.pairs
        if length is not None:
            pairs = [*pairs, b"CONTENT_LENGTH", b"%d" % length]
        line = head.line
        exchange.request = Request(
            pairs, line.method, line.target, body, descriptor, length or 0
        )
        self._state = _ANSWERING
        self.deadline = NEVER
        self.front.submit(exchange)

    def _next_request(self) -> None:
        self._state = _HEAD
        front = self.front
        self.deadline = front.watch.after(self._limits.keep_alive)
        if self._reading_paused:
            self._reading_paused = False
            self.transport.resumeProducing()
        if self._buffer:
            if not self._advancing:
                self._advance()
        elif self.door.is_closed:
            self._lose()

    # --- ending -----------------------------------------------------------------------

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with an error page instead of asking an app."""
        front = self.front
        front.counters.refused += 1
        exchange = self._exchange
        if exchange is None:
            origin = self._origin or self._learn_origin()
            exchange = Exchange(self, None, front.next_request_id(), origin.remote)
            self._exchange = exchange
        if self._body is not None:
            self._body.close()
            self._body = None
        self._state = _ANSWERING
        self.deadline = NEVER
        exchange.refuse(refusal)

    def _close(self) -> None:
        """All is said: close our side, and if need be let the client finish."""
        self._buffer = b""
        self.output.detach()
        if not (self._linger and self._plain):
            self._lose()
            return
        self._state = State.LINGERING
        self.deadline = self.front.watch.after(self._limits.linger)
        # Closed with bytes unread, the kernel would reset the connection, and
        # the client could not read what it was told.
        if self._reading_paused:
            self._reading_paused = False
            self.transport.resumeProducing()
        self.transport.loseWriteConnection()

    def _lose(self) -> None:
        self._state = State.CLOSED
        # Over TLS the client may refuse to say goodbye.
        self.deadline = self.front.watch.after(self._limits.linger)
        self.output.detach()
        self.transport.loseConnection()

    def _swallow(self, size: int) -> None:
        self._swallowed += size
        if self._swallowed > self._limits.linger_bytes:
            if self._state is State.LINGERING:
                self._lose()
            elif self._state is State.CLOSING:
                self._pause_reading()

    def _pause_reading(self) -> None:
        if not self._reading_paused:
            self._reading_paused = True
            self.transport.pauseProducing()

    def _leave_exchange(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None and exchange.connection is not None:
            exchange.client_left()
        if self._body is not None:
            self._body.close()
            self._body = None
