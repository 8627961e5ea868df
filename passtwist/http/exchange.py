"""One request and its response on a client's connection.

Runs in: the controller.

Takes the response from the pool, piece by piece, and frames it for the client:
with a length, chunked, or ended by the connection's end.  What an app said
wrongly becomes an error page as long as nothing was sent; afterwards the
connection ends in a way that can't be taken for a complete response: by a reset,
where the transport knows one (a Unix socket does not; there, a response to HTTP/1.0
without a length ends like a complete one).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from zope.interface import implementer

from passtwist.api.interfaces import IResponder
from passtwist.http.error_pages import error_page
from passtwist.http.log_format import Entry
from passtwist.http.response_head import BadResponseHead, CheckedHead, check_interim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from passtwist.api.failures import RequestFailure
    from passtwist.api.interfaces import ISession
    from passtwist.errors import SpawnError
    from passtwist.http.connection import Connection
    from passtwist.http.refusal import Refusal
    from passtwist.http.request import Request
    from passtwist.http.scanner import RequestHead

# How the client learns where the body ends.
_UNSENT, _NO_BODY, _LENGTH, _CHUNKED, _CLOSE = range(5)


@implementer(IResponder)
class Exchange:
    """See `passtwist.api.interfaces.IResponder`.

    :ivar connection: None once this is over.
    :ivar session: the pool's end; None before and after.
    :ivar held: the client is too slow; the worker has to wait.
    :ivar gone: the client has left.
    :ivar client_closes: it was the client who wished no further request.
    """

    __slots__ = (
        "_framing",
        "_front",
        "_left",
        "_sent",
        "_status",
        "app",
        "client_closes",
        "connection",
        "environment",
        "gone",
        "head",
        "head_only",
        "held",
        "http11",
        "keep_alive",
        "pairs",
        "remote",
        "request",
        "request_id",
        "session",
        "started",
    )

    def __init__(
        self,
        connection: Connection,
        head: RequestHead | None,
        request_id: bytes,
        remote: bytes,
    ) -> None:
        """
        :param head: None when it could not be read.
        """
        self.connection: Connection | None = connection
        self._front = front = connection.front
        self.head = head
        self.request_id = request_id
        self.remote = remote
        self.app = ""
        self.environment = front.environment
        self.pairs: Sequence[bytes] = ()
        self.request: Request | None = None
        self.session: ISession | None = None
        self.held = self.gone = False
        self.started = front.clock.seconds() if front.access_log.enabled else 0.0
        if head is None:
            self.http11, self.head_only = True, False
            self.keep_alive = self.client_closes = False
        else:
            self.http11 = head.http11
            self.head_only = head.line.method == b"HEAD"
            self.keep_alive = head.keep_alive
            self.client_closes = not head.keep_alive
        self._framing = _UNSENT
        self._left = 0
        self._sent = 0
        self._status = 0

    # --- the pool's side: IResponder ------------------------------------------

    def answer(self, head: bytes, body: bytes) -> None:
        if self.connection is not None:
            checked = self._check(head)
            if checked is not None:
                self._send_whole(checked, body)

    def begin(self, head: bytes) -> None:
        connection = self.connection
        if connection is None:
            return
        checked = self._check(head)
        if checked is None:
            return
        length = checked.content_length
        if self.head_only or checked.bodiless:
            self._framing = _NO_BODY
        elif length is not None:
            self._framing = _LENGTH
            self._left = length
        elif self.http11:
            self._framing = _CHUNKED
        else:
            self._framing = _CLOSE
            self.keep_alive = False
        connection.output.write(self._head(checked, length))

    def write(self, data: bytes) -> None:
        connection = self.connection
        if connection is None or not data:
            return
        if self._framing == _LENGTH:
            if len(data) > self._left:
                data = self._cut(data, self._left)
                self._framing = _NO_BODY
            self._left -= len(data)
        elif self._framing == _NO_BODY:
            return
        self._sent += len(data)
        if self._framing == _CHUNKED:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        connection.output.write(data)

    def finish(self) -> None:
        connection = self.connection
        if connection is None:
            return
        if self._framing == _LENGTH and self._left:
            self._end_short()
            return
        if self._framing == _CHUNKED:
            connection.output.write(b"0\r\n\r\n")
        self._end()

    def interim(self, head: bytes) -> None:
        connection = self.connection
        # A client of HTTP/1.0 does not know them (RFC 9110, 15.2).
        if connection is None or self._framing != _UNSENT or not self.http11:
            return
        block = check_interim(head)
        if block is not None:
            connection.output.write(b"HTTP/1.1 %b\r\n" % block)

    def fail(self, failure: RequestFailure) -> None:
        if self.connection is None:
            return
        front = self._front
        front.counters.failed += 1
        front.failure_log.report(
            self.app, self.request_id, failure.status, failure.reason
        )
        if self._framing == _UNSENT:
            extra = b""
            if failure.retry_after is not None:
                extra = b"Retry-After: %d\r\n" % failure.retry_after
            self._send_error(failure.status, failure.reason, failure.error, extra)
        elif self._framing == _NO_BODY:
            self._end()
        else:
            self._abort()

    # --- the connection's side -------------------------------------------------

    def refuse(self, refusal: Refusal) -> None:
        """Answer with an error; no app is concerned."""
        if refusal.close:
            self.keep_alive = self.client_closes = False
        # What was short of (memory, disk, descriptors) may be there again soon.
        extra = b"Retry-After: 1\r\n" if refusal.status == 503 else b""
        self._send_error(refusal.status, refusal.reason, extra=extra)

    def session_began(self, session: ISession) -> None:
        """The pool has taken the request, and perhaps answered it already."""
        if self.gone:
            session.abandon()
        elif self.connection is not None:
            self.session = session
            if self.held:
                session.pause()

    def hold(self) -> None:
        """Let the worker wait for the client."""
        self.held = True
        if self.session is not None:
            self.session.pause()

    def release(self) -> None:
        """Let it go on."""
        if self.held:
            self.held = False
            if self.session is not None:
                self.session.resume()

    def client_left(self) -> None:
        """The client is gone; nothing more reaches it."""
        self.gone = True
        self.connection = None
        self._front.counters.client_gone += 1
        if self.session is not None:
            self.session.abandon()
        self._settle(complete=False)

    # --- inside -------------------------------------------------------------------

    def _check(self, block: bytes) -> CheckedHead | None:
        try:
            checked = self._front.response_heads.check(block)
            if checked.status < 200:
                raise BadResponseHead(f"its status is {checked.status}")
        except BadResponseHead as error:
            front = self._front
            front.counters.bad_responses += 1
            reason = f"the app's response can't be sent: {error}"
            front.failure_log.report(self.app, self.request_id, 500, reason)
            # More of this response may come, and nobody wants it.
            session, self.gone = self.session, True
            self._send_error(500, reason)
            if session is not None:
                session.abandon()
            return None
        return checked

    def _send_error(
        self,
        status: int,
        reason: str,
        error: SpawnError | None = None,
        extra: bytes = b"",
    ) -> None:
        block, body = error_page(
            status, self.request_id, self.environment, reason, error
        )
        self._send_whole(self._front.response_heads.check(block + extra), body)

    def _send_whole(self, checked: CheckedHead, body: bytes) -> None:
        connection = self.connection
        if connection is None:
            return
        length = checked.content_length
        if self.head_only or checked.bodiless:
            if length is None and body and not checked.bodiless:
                length = len(body)
            body = b""
            self._framing = _NO_BODY
        else:
            if length is None:
                length = len(body)
            elif len(body) > length:
                body = self._cut(body, length)
            self._framing = _LENGTH
            self._left = length - len(body)
            self._sent = len(body)
        connection.output.write(self._head(checked, length) + body)
        if self._left:
            self._end_short()
        else:
            self._end()

    def _head(self, checked: CheckedHead, length: int | None) -> bytes:
        front = self._front
        self._status = status = checked.status
        connection = self.connection
        if self.keep_alive and (connection is None or not connection.may_keep_alive()):
            self.keep_alive = False
        if not self.keep_alive:
            kept = b"Connection: close\r\n"
        else:
            kept = b"" if self.http11 else b"Connection: keep-alive\r\n"
        if status == 205:
            length = 0
        if self._framing == _CHUNKED:
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

    def _cut(self, data: bytes, length: int) -> bytes:
        self._complain("a longer body than its Content-Length; it was cut")
        return data[:length]

    def _complain(self, what: str) -> None:
        self._front.counters.cut_responses += 1
        self._front.failure_log.report(
            self.app, self.request_id, self._status, f"the app's response has {what}"
        )

    def _end_short(self) -> None:
        """The client got less than it was promised, and has to see that."""
        self._complain("a shorter body than its Content-Length")
        self.keep_alive = False
        self.client_closes = True
        self._end(complete=False)

    def _abort(self) -> None:
        connection = self.connection
        if connection is not None:
            self.connection = None
            self._settle(complete=False)
            connection.abort()

    def _end(self, complete: bool = True) -> None:
        connection = self.connection
        if connection is not None:
            self.connection = None
            self._settle(complete)
            connection.exchange_ended(self)

    def _settle(self, complete: bool) -> None:
        """Write it down, and give back what is held for it."""
        # A log that was switched on meanwhile does not know when it began.
        if self.started and self._front.access_log.enabled:
            self._record(complete)
        self.session = None
        request = self.request
        if request is not None and request.body_file is not None:
            os.close(request.body_file)
            request.body_file = None

    def _record(self, complete: bool) -> None:
        front, session = self._front, self.session
        line = self.head.line if self.head is not None else None
        front.access_log.record(
            Entry(
                at=self.started,
                seconds=front.clock.seconds() - self.started,
                remote=self.remote,
                method=line.method if line else b"",
                target=line.target if line else b"",
                http11=self.http11,
                # nginx's number for a client that left before the answer.
                status=self._status or 499,
                sent=self._sent,
                pairs=self.pairs,
                request_id=self.request_id,
                app=self.app,
                worker=session.worker_pid if session is not None else 0,
                attempts=session.attempts if session is not None else 0,
                complete=complete,
            )
        )
