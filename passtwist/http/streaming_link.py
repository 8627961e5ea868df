"""A client's connection while the body of its request comes.

Runs in: the controller.

Either it is kept until it is whole, or it goes on to a worker as it comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.http.body import BodyReader, decoder_of
from passtwist.http.body_stream import BodyStream
from passtwist.http.client_link import ClientLink, State
from passtwist.http.framed_response import UNSENT
from passtwist.http.pace import Pace
from passtwist.http.refusal import Refusal

if TYPE_CHECKING:
    from passtwist.http.door import Door
    from passtwist.http.exchange import Exchange
    from passtwist.http.framed_response import FramedResponse
    from passtwist.http.front import FrontEnd
    from passtwist.http.parsing.scanner import RequestHead

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class StreamingLink(ClientLink):
    """The base of a `Connection`, which is its only heir; a `body_stream.Source`.

    :ivar exchange: the request that is being read or answered.
    """

    def __init__(self, front: FrontEnd, door: Door) -> None:
        super().__init__(front, door)
        self.exchange: Exchange | None = None
        self._buffer = b""
        self._body: BodyReader | None = None
        self._stream: BodyStream | None = None  # until it has come whole

    def _submit(
        self,
        exchange: Exchange,
        body: bytes,
        descriptor: int | None,
        length: int | None,
        stream: BodyStream | None = None,
    ) -> None:
        """Hand the request on."""
        raise AssertionError("an heir's business")

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with an error page."""
        raise AssertionError("an heir's business")

    def _drop_body(self) -> None:
        """The rest of it is not wanted, or will not come."""
        self._pace = None
        if self._body is not None:
            self._body.close()
            self._body = None
        if self._stream is not None:
            self._stream.break_off()
            self._stream = None

    # --- one that is kept until it is whole -------------------------------------------

    def _begin_body(self, head: RequestHead, max_body: int) -> None:
        if head.expects_continue and not self._buffer:
            self.output.write(CONTINUE)
        self._state = State.BODY
        front = self.front
        self._body = BodyReader(
            head, max_body, self._limits, front.spool_dir, front.space
        )
        self._expect_body()

    def _read_body(self) -> None:
        body, exchange, pace = self._body, self.exchange, self._pace
        if body is None or exchange is None or pace is None:
            raise AssertionError("reading a body without a request")
        data, self._buffer = self._buffer, b""
        pace.progressed(len(data), self.front.watch.after(0))
        self._buffer = body.feed(data)
        if body.finished:
            memory, descriptor = body.take()
            self._body = self._pace = None
            self._submit(exchange, memory, descriptor, body.length)
        if self._sending is not None or self._pace is not None:
            self._set_deadline()

    def _expect_body(self) -> None:
        """From now on the client has to keep up a pace."""
        limits = self._limits
        self._pace = Pace(
            limits.body_min_rate,
            limits.body_grace,
            limits.body_read_timeout,
            self.front.watch.after(0),
        )
        self._set_deadline()

    # --- one that goes on as it comes ---------------------------------------------

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
        if self._reading_paused or (head.expects_continue and not data):
            # It is the app that lets it wait.
            self._set_deadline()
        else:
            self._expect_body()
        self._submit(exchange, b"", None, head.content_length, stream)

    def _stream_body(self, data: bytes) -> None:
        stream = self._stream
        if stream is None:
            raise AssertionError("reading a body without a request")
        if self._pace is not None:
            self._pace.progressed(len(data), self.front.watch.after(0))
        try:
            rest = stream.feed(data)
        except Refusal as refusal:
            self._refuse(refusal)
            return
        exchange = self.exchange
        if exchange is not None and exchange.request is not None:
            exchange.request.body_length = stream.length
        if stream.finished:
            self._stream = self._pace = None
            self._buffer = rest
            self._state = State.ANSWERING
        self._set_deadline()

    def body_wanted(self) -> None:
        """See `body_stream.Source`."""
        exchange = self.exchange
        if exchange is None or exchange.head is None:
            return
        if exchange.head.expects_continue and exchange.framing == UNSENT:
            self.output.write(CONTINUE)
            self._expect_body()

    def hold_body(self) -> None:
        """See `body_stream.Source`."""
        self._pause_reading()
        self._pace = None
        self._set_deadline()

    def release_body(self) -> None:
        """See `body_stream.Source`."""
        if self.has_ended:
            return
        # Not asked to keep up a pace is also who was to wait for a 100, and did not.
        if (self._reading_paused or self._pace is None) and not self.output.waiting:
            self._expect_body()
        self._resume_reading()

    def output_waits(self) -> None:
        if self._stream is not None:
            # Who streams a body is not asked for it while it has to read.
            self._pace = None
        super().output_waits()

    def _leave_stream(self, exchange: FramedResponse) -> None:
        """The response is there before the body."""
        if self._stream is not None:
            self._stream.leave()
            self._stream = self._pace = None
            # It may well be sending still, and be unable to read our answer then.
            exchange.client_closes = False
