"""A response in the shape that its client needs.

Runs in: the controller.

With a length, chunked, or ended by the connection's end.  What an app said wrongly
after the first byte was sent ends the connection in a way that can't be taken for a
complete response: by a reset, where the transport knows one (a Unix socket does not;
there, a response to HTTP/1.0 without a length ends like a complete one).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from passtwist.http.connection import Connection
    from passtwist.http.front import FrontEnd
    from passtwist.http.response_head import CheckedHead

# How the client learns where the body ends.
UNSENT, NO_BODY, LENGTH, CHUNKED, CLOSE = range(5)


class FramedResponse:
    """The way out of an `Exchange`, which is its only heir.

    It is a base and not a part, because a part would be one object more for every
    request; for the same reason the heir's constructor sets the fields.

    :ivar connection: None once this is over.
    :ivar framing: how the body ends; UNSENT before the head was sent.
    :ivar http11: the client knows chunks.
    :ivar head_only: the client wants no body: its method was HEAD.
    :ivar keep_alive: another request may follow on the connection.
    :ivar client_closes: it was the client who wished no further request.
    :ivar status: that of the head that was sent, 0 before.
    :ivar sent: bytes of the body that were sent, without what frames them.
    """

    __slots__ = (
        "_left",
        "app",
        "client_closes",
        "connection",
        "framing",
        "front",
        "head_only",
        "http11",
        "keep_alive",
        "request_id",
        "sent",
        "status",
    )

    _left: int  # of the announced length
    app: str
    client_closes: bool
    connection: Connection | None
    framing: int
    front: FrontEnd
    head_only: bool
    http11: bool
    keep_alive: bool
    request_id: bytes
    sent: int
    status: int

    def settle(self, complete: bool) -> None:
        """The response is over; `connection` is None from now on."""
        raise AssertionError("an heir's business")

    # --- what the heir sends ------------------------------------------------------

    def send_head(self, checked: CheckedHead) -> None:
        """Begin a response that comes in pieces: `write`, then `finish`."""
        connection = self.connection
        if connection is None:
            return
        length = checked.content_length
        if self.head_only or checked.bodiless:
            self.framing = NO_BODY
        elif length is not None:
            self.framing = LENGTH
            self._left = length
        elif self.http11:
            self.framing = CHUNKED
        else:
            self.framing = CLOSE
            self.keep_alive = False
        connection.output.write(self._head(checked, length))

    def write(self, data: bytes | memoryview) -> None:
        """Send a piece of the body; see `IResponder.write`."""
        connection = self.connection
        if connection is None or not data:
            return
        if self.framing == LENGTH:
            if len(data) > self._left:
                data = self._cut(data, self._left)
                self.framing = NO_BODY
            self._left -= len(data)
        elif self.framing == NO_BODY:
            return
        self.sent += len(data)
        if self.framing == CHUNKED:
            data = b"".join((b"%x\r\n" % len(data), data, b"\r\n"))
        connection.output.write(data)

    def passed(self, size: int) -> None:
        """So many bytes of a body with a length went out past `write`."""
        self._left -= size
        self.sent += size

    def finish(self) -> None:
        """The body has come to its end; see `IResponder.finish`."""
        connection = self.connection
        if connection is None:
            return
        if self.framing == LENGTH and self._left:
            self._end_short()
            return
        if self.framing == CHUNKED:
            connection.output.write(b"0\r\n\r\n")
        self.end()

    def send_whole(self, checked: CheckedHead, body: bytes) -> None:
        """Send a response that is there as a whole, and end."""
        connection = self.connection
        if connection is None:
            return
        length = checked.content_length
        if self.head_only or checked.bodiless:
            if length is None and body and not checked.bodiless:
                length = len(body)
            body = b""
            self.framing = NO_BODY
        else:
            if length is None:
                length = len(body)
            elif len(body) > length:
                body = self._cut(body, length)
            self.framing = LENGTH
            self._left = length - len(body)
            self.sent = len(body)
        connection.output.write(self._head(checked, length) + body)
        if self._left:
            self._end_short()
        else:
            self.end()

    def abort(self) -> None:
        """End so that nobody takes what was sent for the whole."""
        connection = self.connection
        if connection is not None:
            self.connection = None
            self.settle(complete=False)
            connection.abort()

    def end(self, complete: bool = True) -> None:
        """Nothing more comes."""
        connection = self.connection
        if connection is not None:
            self.connection = None
            self.settle(complete)
            connection.exchange_ended(self)

    # --- inside -------------------------------------------------------------------

    def _head(self, checked: CheckedHead, length: int | None) -> bytes:
        front = self.front
        self.status = status = checked.status
        connection = self.connection
        if self.keep_alive and (connection is None or not connection.may_keep_alive()):
            self.keep_alive = False
        if not self.keep_alive:
            kept = b"Connection: close\r\n"
        else:
            kept = b"" if self.http11 else b"Connection: keep-alive\r\n"
        if status == 205:
            length = 0
        if self.framing == CHUNKED:
            framing = b"Transfer-Encoding: chunked\r\n"
        elif length is not None and status not in (204, 304):
            # RFC 9110 section 8.6: in a 304 it would have to be that of the
            # 200, which apps that say 0 there do not mean.
            framing = b"Content-Length: %d\r\n" % length
        else:
            framing = b""
        return b"HTTP/1.1 %b%b%b%b%b\r\n" % (
            checked.block,
            framing,
            b"" if checked.has_date else front.watch.date_line,
            kept,
            b""
            if checked.has_request_id
            else b"X-Request-Id: %b\r\n" % self.request_id,
        )

    def _cut(self, data: bytes | memoryview, length: int) -> bytes:
        self._complain("a longer body than its Content-Length; it was cut")
        return bytes(data[:length])

    def _complain(self, what: str) -> None:
        self.front.counters.cut_responses += 1
        self.front.failure_log.report(
            self.app, self.request_id, self.status, f"the app's response has {what}"
        )

    def _end_short(self) -> None:
        """The client got less than it was promised, and has to see that."""
        self._complain("a shorter body than its Content-Length")
        self.keep_alive = False
        self.client_closes = True
        self.end(complete=False)
