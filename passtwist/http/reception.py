"""A request's head has been read: whom is it from, and which app is it for?

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import ISSLTransport

from passtwist.http.environ import Origin, request_pairs
from passtwist.http.exchange import Exchange
from passtwist.http.refusal import Refusal
from passtwist.http.tunnel import check_wish

if TYPE_CHECKING:
    from passtwist.http.config import Site
    from passtwist.http.connection import Connection
    from passtwist.http.parsing.scanner import RequestHead


def receive(connection: Connection, head: RequestHead) -> tuple[Exchange, Site]:
    """Begin the exchange of the request with *head*, and find its app.

    :raises Refusal: it reaches none; the connection's exchange is there to say so.
    """
    front, origin = connection.front, connection.origin or learn_origin(connection)
    front.counters.requests += 1
    front.counters.unsafe_names += head.unsafe_names
    request_id, remote, pairs = front.next_request_id(), origin.remote, origin.pairs
    if head.forwarding and origin.trusted:
        forwarded = front.trust.forwarded(head.forwarding)
        request_id = forwarded.request_id or request_id
        remote = forwarded.client or remote
        pairs = origin.pairs_for(forwarded.client, forwarded.scheme)
        pairs += forwarded.pairs
    exchange = Exchange(connection, head, request_id, remote)
    connection.exchange = exchange
    route = front.router.find(head.host, head.line.path)
    if route is None:
        has_body = head.chunked or bool(head.content_length)
        raise Refusal(404, "no app is configured for this address", has_body)
    site = route.site
    exchange.app, exchange.environment = site.app, site.environment
    exchange.files = route.files
    exchange.pairs = request_pairs(head, route.script_name, request_id, pairs)
    if route.files is not None:
        route.files.check(head)
    if head.upgrade:
        check_wish(connection, exchange)
    return exchange, site


def receive_unread(connection: Connection) -> Exchange:
    """Begin the exchange of a request whose head can't be read."""
    origin = connection.origin or learn_origin(connection)
    request_id = connection.front.next_request_id()
    exchange = Exchange(connection, None, request_id, origin.remote)
    connection.exchange = exchange
    return exchange


def learn_origin(connection: Connection) -> Origin:
    """Who the client is.  Asked late: behind ``haproxy:`` it says so first."""
    transport = connection.transport
    connection.origin = origin = Origin(
        transport.getPeer(),
        transport.getHost(),
        ISSLTransport.providedBy(transport),
        connection.front.trust,
    )
    return origin
