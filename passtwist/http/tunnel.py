"""A connection that was upgraded: the client's end of a tunnel to a worker.

Runs in: the controller.

Bytes go both ways as they come, and nothing is read into them.  No deadline holds
for them either: whoever keeps a connection open for hours, and says nothing, may do
so.  That the client is there at all is asked by the kernel from time to time (TCP
keep-alive).
"""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

from twisted.internet.interfaces import ITCPTransport
from zope.interface import implementer

from passtwist.api.failures import RequestFailure
from passtwist.api.interfaces import ITunnelEnd
from passtwist.http.framed_response import CLOSE
from passtwist.http.refusal import Refusal
from passtwist.http.response_head import BadResponseHead

if TYPE_CHECKING:
    from passtwist.http.connection import Connection
    from passtwist.http.exchange import Exchange

_search_protocol = re.compile(rb"\nupgrade:[ \t]*([^\r]*)\r", re.IGNORECASE).search

# A client that does not answer is gone after two minutes: asked after a minute of
# silence, then every 15 s, four times.
_KEEP_ALIVE = (
    (socket.TCP_KEEPIDLE, 60),
    (socket.TCP_KEEPINTVL, 15),
    (socket.TCP_KEEPCNT, 4),
)


def check_wish(connection: Connection, exchange: Exchange) -> None:
    """The request of *exchange* would like to be upgraded: may it?

    :raises Refusal: the server is drained.
    """
    # If that is not granted: who has not waited for the answer has sent what is no
    # request, and nothing of it is to be taken for one.
    exchange.keep_alive = False
    if not connection.door.keeps_alive:
        raise Refusal(503, "nothing is upgraded: the server is drained, or full")


def open_tunnel(exchange: Exchange, head: bytes, worker: ITunnelEnd) -> Tunnel | None:
    """Grant the upgrade: see `IResponder.upgrade`."""
    connection = exchange.connection
    if connection is None:
        return None
    try:
        checked = exchange.front.response_heads.check(head)
    except BadResponseHead as error:
        exchange.fail(RequestFailure(502, f"the app's upgrade can't be sent: {error}"))
        return None
    protocol = _search_protocol(head)
    exchange.framing, exchange.status = CLOSE, checked.status
    tunnel = Tunnel(connection, exchange, worker)
    connection.output.write(
        b"HTTP/1.1 %bConnection: Upgrade\r\nUpgrade: %b\r\n%b\r\n"
        % (
            checked.block,
            protocol[1] if protocol else b"",
            b""
            if checked.has_request_id
            else b"X-Request-Id: %b\r\n" % exchange.request_id,
        )
    )
    said = connection.become_tunnel(tunnel)
    if said:
        tunnel.received(said)
    if not connection.door.keeps_alive:
        tunnel.leave()  # the server was drained since the client has asked
    return tunnel


@implementer(ITunnelEnd)
class Tunnel:
    """See `ITunnelEnd`; and the owner of the connection's output."""

    def __init__(
        self, connection: Connection, exchange: Exchange, worker: ITunnelEnd
    ) -> None:
        self._connection = connection
        self._exchange = exchange
        self._worker = worker
        self._is_holding = False  # the worker, as the client does not read
        self._has_ended = False  # no more from the worker
        self._is_closing = False  # the worker is gone
        self._client_ended = False  # no more from the client
        connection.output.owned_by(self)
        _watch(connection)

    # --- the worker's side: ITunnelEnd ------------------------------------------------

    def send(self, data: bytes) -> None:
        """See `ITunnelEnd.send`."""
        if self._has_ended or self._exchange.connection is None:
            return
        self._exchange.sent += len(data)
        self._connection.output.write(data)
        self._hold_if_waiting()

    def end(self) -> None:
        """See `ITunnelEnd.end`."""
        if not self._has_ended:
            self._has_ended = True
            if not self._connection.output.waiting:
                self._shut()

    def pause(self) -> None:
        """See `ITunnelEnd.pause`."""
        if self._exchange.connection is not None:
            self._connection.transport.pauseProducing()

    def resume(self) -> None:
        """See `ITunnelEnd.resume`."""
        if self._exchange.connection is not None and not self._client_ended:
            self._connection.transport.resumeProducing()

    def close(self) -> None:
        """See `ITunnelEnd.close`."""
        connection = self._connection
        self._has_ended = self._is_closing = True
        if self._exchange.connection is None:
            return
        if connection.output.waiting:
            # Nobody is held up by it, so it has as long as for any response.
            connection.deadline = connection.front.watch.after(
                connection.front.limits.send_timeout
            )
        else:
            self._over()

    # --- the client's side ------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Bytes from the client."""
        request = self._exchange.request
        if request is not None:
            # For the access log; there was no other body.
            request.body_length += len(data)
        self._worker.send(data)

    def client_ended(self) -> None:
        """The client sends no more, but still reads."""
        if not self._client_ended:
            self._client_ended = True
            self._worker.end()

    def leave(self) -> None:
        """The server wants it to end: the worker may say goodbye, but not for long."""
        connection = self._connection
        connection.deadline = min(
            connection.deadline,
            connection.front.watch.after(connection.front.limits.linger),
        )
        self._worker.end()

    # --- told by the output -----------------------------------------------------------

    def output_drained(self) -> None:
        if self._exchange.connection is None:
            return
        if self._is_closing:
            self._over()
        elif self._has_ended:
            self._shut()
        elif self._is_holding:
            self._is_holding = False
            self._worker.resume()

    def output_waits(self) -> None:
        """No deadline, as long as the worker is there; see `close`."""

    def output_suffers(self, reason: str) -> None:
        exchange = self._exchange
        failure_log = self._connection.front.failure_log
        failure_log.report(exchange.app, exchange.request_id, exchange.status, reason)

    def output_roomy(self) -> None:
        """More would fit; but as nothing is to wait for long, wait for the end."""

    def output_full(self) -> None:
        self._hold_if_waiting()

    def output_lost(self) -> None:
        self._connection.abort()

    # --- inside -----------------------------------------------------------------------

    def _hold_if_waiting(self) -> None:
        if self._connection.output.waiting and not self._is_holding:
            self._is_holding = True
            self._worker.pause()

    def _shut(self) -> None:
        """All that the worker had to say is said, and it still listens."""
        if self._client_ended or not self._connection.is_plain:
            # Twisted's TLS can't close one side alone.
            self._worker.close()
            self._over()
        else:
            self._connection.transport.loseWriteConnection()

    def _over(self) -> None:
        exchange, connection = self._exchange, self._connection
        exchange.client_closes = self._client_ended
        if not self._client_ended:
            # It may still be sending, and has to be able to read our end.
            connection.transport.resumeProducing()
        connection.output.owned_by(connection)
        connection.tunnel = None
        exchange.end()


def _watch(connection: Connection) -> None:
    """Let the kernel find out whether the client is still there."""
    transport = connection.transport
    if ITCPTransport.providedBy(transport):
        transport.setTcpKeepAlive(True)
        if connection.is_plain:
            handle = connection.transport.getHandle()
            # Twisted says of Unix sockets, too, that they are TCP's.
            options = () if handle.family == socket.AF_UNIX else _KEEP_ALIVE
            for option, value in options:
                handle.setsockopt(socket.IPPROTO_TCP, option, value)
