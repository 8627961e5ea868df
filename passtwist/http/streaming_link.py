"""A client's connection while the body of its request goes on to a worker.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.http.client_link import ClientLink
from passtwist.http.deadlines import NEVER
from passtwist.http.framed_response import UNSENT

if TYPE_CHECKING:
    from passtwist.http.body_stream import BodyStream
    from passtwist.http.door import Door
    from passtwist.http.exchange import Exchange
    from passtwist.http.framed_response import FramedResponse
    from passtwist.http.front import FrontEnd

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class StreamingLink(ClientLink):
    """The base of a `Connection`, which is its only heir; a `body_stream.Source`.

    :ivar exchange: the request that is being read or answered.
    """

    def __init__(self, front: FrontEnd, door: Door) -> None:
        super().__init__(front, door)
        self.exchange: Exchange | None = None
        self._stream: BodyStream | None = None  # until it has come whole

    def body_wanted(self) -> None:
        """See `body_stream.Source`."""
        exchange = self.exchange
        if exchange is None or exchange.head is None:
            return
        if exchange.head.expects_continue and exchange.framing == UNSENT:
            self.output.write(CONTINUE)

    def hold_body(self) -> None:
        """See `body_stream.Source`."""
        self._pause_reading()
        self._expect_body()

    def release_body(self) -> None:
        """See `body_stream.Source`."""
        self._resume_reading()
        self._expect_body()

    def _expect_body(self, deadline: float | None = None) -> None:
        """The client has so long for the next piece, if it is its turn."""
        if self.output.waiting:
            return
        if self._reading_paused:
            deadline = NEVER
        elif deadline is None:
            deadline = self.front.watch.after(self._limits.body_read_timeout)
        self.deadline = deadline

    def _leave_stream(self, exchange: FramedResponse) -> None:
        """The response is there before the body."""
        if self._stream is not None:
            self._stream.leave()
            self._stream = None
            # It may well be sending still, and be unable to read our answer then.
            exchange.client_closes = False

    def _break_stream(self) -> None:
        """The rest of the body will not come."""
        if self._stream is not None:
            self._stream.break_off()
            self._stream = None
