"""One request and its response on a client's connection.

Runs in: the controller.

Takes the response from the pool, piece by piece; `FramedResponse` gives it the shape
that the client needs.  What an app said wrongly becomes an error page as long as
nothing was sent; afterwards the connection ends so that nobody takes the response
for complete.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from zope.interface import implementer

from passtwist.api.interfaces import IResponder
from passtwist.api.requests import value_of
from passtwist.http.exchange_record import entry_of
from passtwist.http.files.sent import hand_over
from passtwist.http.framed_response import NO_BODY, UNSENT, FramedResponse
from passtwist.http.pages.errors import Problem
from passtwist.http.response_head import BadResponseHead, CheckedHead, check_interim
from passtwist.http.tunnel import open_tunnel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from passtwist.api.failures import RequestFailure
    from passtwist.api.interfaces import ISession, ITunnelEnd
    from passtwist.errors import SpawnError
    from passtwist.http.connection import Connection
    from passtwist.http.files.site import SiteFiles
    from passtwist.http.parsing.scanner import RequestHead
    from passtwist.http.refusal import Refusal
    from passtwist.http.request import Request


@implementer(IResponder)
class Exchange(FramedResponse):
    """See `passtwist.api.interfaces.IResponder`.

    :ivar files: those of the site; None when it has none.
    :ivar session: the pool's end, or what sends a file; None before and after.
    :ivar held: the client is too slow; the worker has to wait.
    :ivar gone: the client has left.
    :ivar started: seconds of the epoch; 0 when no access log is kept.
    """

    __slots__ = (
        "environment",
        "files",
        "gone",
        "head",
        "held",
        "pairs",
        "remote",
        "request",
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
        self.connection = connection
        self.front = front = connection.front
        self.head = head
        self.request_id = request_id
        self.remote = remote
        self.app = ""
        self.files: SiteFiles | None = None
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
        self.framing = UNSENT
        self._left = 0
        self.sent = 0
        self.status = 0

    # --- the pool's side: IResponder ------------------------------------------

    def answer(self, head: bytes, body: bytes) -> None:
        if self.connection is not None:
            checked = self._check(head)
            if checked is not None:
                self.send_whole(checked, body)

    def begin(self, head: bytes) -> None:
        if self.connection is not None:
            checked = self._check(head)
            if checked is not None:
                self.send_head(checked)

    def interim(self, head: bytes) -> None:
        connection = self.connection
        # A client of HTTP/1.0 does not know them (RFC 9110, 15.2).
        if connection is None or self.framing != UNSENT or not self.http11:
            return
        block = check_interim(head)
        if block is not None:
            connection.output.write(b"HTTP/1.1 %b\r\n" % block)

    def upgrade(self, head: bytes, worker: ITunnelEnd) -> ITunnelEnd | None:
        return open_tunnel(self, head, worker)

    def fail(self, failure: RequestFailure) -> None:
        if self.connection is None:
            return
        front = self.front
        front.counters.failed += 1
        front.failure_log.report(
            self.app, self.request_id, failure.status, failure.reason
        )
        if self.framing == UNSENT:
            extra = b""
            if failure.retry_after is not None:
                extra = b"Retry-After: %d\r\n" % failure.retry_after
            self._send_error(failure.status, failure.reason, failure.error, extra)
        elif self.framing == NO_BODY:
            self.end()
        else:
            self.abort()

    # --- the connection's side -------------------------------------------------

    def refuse(self, refusal: Refusal) -> None:
        """Answer with an error; no app is concerned, or no longer."""
        session = self.session
        if self.framing == UNSENT:
            self._send_refusal(refusal)
        else:
            self.abort()
        if session is not None:
            session.abandon()

    def _send_refusal(self, refusal: Refusal) -> None:
        if refusal.close:
            self.keep_alive = self.client_closes = False
        headers = refusal.headers
        if refusal.status == 503:
            self.front.failure_log.report(
                self.app, self.request_id, refusal.status, refusal.reason
            )
            # What was short of (memory, disk, descriptors) may be there again soon.
            headers += b"Retry-After: 1\r\n"
        self._send_error(refusal.status, refusal.reason, extra=headers)

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
        self.front.counters.client_gone += 1
        if self.session is not None:
            self.session.abandon()
        self.settle(complete=False)

    def settle(self, complete: bool) -> None:
        """Write it down, and give back what is held for it."""
        # A log that was switched on meanwhile does not know when it began.
        if self.started and self.front.access_log.enabled:
            self.front.access_log.record(entry_of(self, complete))
        self.session = None
        request = self.request
        if request is not None and request.body_file is not None:
            os.close(request.body_file)
            request.body_file = None
            self.front.space.spooled -= request.body_length

    # --- inside -------------------------------------------------------------------

    def _check(self, block: bytes) -> CheckedHead | None:
        try:
            checked = self.front.response_heads.check(block)
            if checked.status < 200:
                raise BadResponseHead(f"its status is {checked.status}")
        except BadResponseHead as error:
            front = self.front
            front.counters.bad_responses += 1
            reason = f"the app's response can't be sent: {error}"
            front.failure_log.report(self.app, self.request_id, 500, reason)
            # More of this response may come, and nobody wants it.
            session, self.gone = self.session, True
            self._send_error(500, reason)
            if session is not None:
                session.abandon()
            return None
        return checked if checked.errand is None else hand_over(self, checked)

    def _send_error(
        self,
        status: int,
        reason: str,
        error: SpawnError | None = None,
        extra: bytes = b"",
    ) -> None:
        front, head = self.front, self.head
        accept = value_of(head.pairs, b"HTTP_ACCEPT") if head is not None else b""
        block, body = front.error_pages.make(
            Problem(
                status,
                self.request_id,
                self.environment,
                reason,
                error,
                self.app,
                accept,
            )
        )
        self.send_whole(front.response_heads.check(block + extra), body)
