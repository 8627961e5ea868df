"""Connections that a load balancer passes on, and says so by the PROXY protocol.

Runs in: the controller.

The connection's protocol is made at once, so that its deadlines hold from the
beginning; it sees its first byte when the header is complete, and from then on
its peer is the client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from twisted.internet.interfaces import ISSLTransport, IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from zope.interface import alsoProvides, implementer

from passtwist.service.listening.proxy_header import BadProxyHeader, read_header

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import (
        IAddress,
        IListeningPort,
        IProtocol,
        IProtocolFactory,
    )
    from twisted.python.failure import Failure

    from passtwist.api.reactors import Reactor
    from passtwist.service.listening.proxy_header import ProxyHeader

# Whoever scans ports must not fill the log.
_SECONDS_BETWEEN_WARNINGS = 60.0


class ProxiedConnection(Protocol):
    """Takes the header off, and is out of the way from then on.

    The wrapped protocol has the transport itself, not a wrapper in its place: so it
    can write at once, and one half can be closed.
    """

    transport: Any  # any of Twisted's stream transports

    def __init__(self, factory: ProxiedFactory, wrapped: IProtocol) -> None:
        self._makes_us = factory
        self._wrapped = wrapped
        self._begun = b""
        self._has_header = False

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        self._wrapped.makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        if self._has_header:
            self._wrapped.dataReceived(data)
            return
        data = self._begun + data
        try:
            header = read_header(data)
        except BadProxyHeader as error:
            self._makes_us.refused(error)
            self._begun = b""
            self.transport.abortConnection()
            return
        if header is None:
            self._begun = data
            return
        self._begun = b""
        self._has_header = True
        _introduce(self.transport, header)
        self.transport.protocol = self._wrapped
        if len(data) > header.size:
            self._wrapped.dataReceived(data[header.size :])

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._wrapped.connectionLost(reason)


def _introduce(transport: Any, header: ProxyHeader) -> None:
    """Whoever asks *transport* for its ends is told what *header* says."""
    source, destination = header.source, header.destination
    if source is not None and destination is not None:
        transport.getPeer = lambda: source
        transport.getHost = lambda: destination
    if header.secure:
        alsoProvides(transport, ISSLTransport)


class ProxiedFactory(Factory):
    """Makes them.

    :param description: the endpoint, for the log.
    """

    log = Logger(namespace="passtwist.service")
    noisy = False

    def __init__(
        self, wrapped: IProtocolFactory, reactor: Reactor, description: str
    ) -> None:
        self._wrapped = wrapped
        self._reactor = reactor
        self._description = description
        self._refused = 0
        self._warn_from = 0.0

    def buildProtocol(self, addr: IAddress | None) -> ProxiedConnection | None:
        # The type of the interface does not know that there may be no address.
        wrapped = self._wrapped.buildProtocol(cast("IAddress", addr))
        return None if wrapped is None else ProxiedConnection(self, wrapped)

    def startFactory(self) -> None:
        self._wrapped.doStart()

    def stopFactory(self) -> None:
        self._wrapped.doStop()

    def logPrefix(self) -> str:
        return "FrontEnd (PROXY)"

    def refused(self, error: BadProxyHeader) -> None:
        """A connection was closed because of its header."""
        self._refused += 1
        now = self._reactor.seconds()
        if now < self._warn_from:
            return
        self._warn_from = now + _SECONDS_BETWEEN_WARNINGS
        self.log.warn(
            "haproxy:{listener}: {error}, {count} so far; does the load balancer send "
            "one (send-proxy, send-proxy-v2)?",
            listener=self._description,
            error=error,
            count=self._refused,
        )


@implementer(IStreamServerEndpoint)
class ProxiedEndpoint:
    """Listens where another endpoint does, for load balancers only.

    :param description: of that endpoint.
    """

    def __init__(
        self, endpoint: IStreamServerEndpoint, reactor: Reactor, description: str
    ) -> None:
        self._endpoint = endpoint
        self._reactor = reactor
        self._description = description

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """See `IStreamServerEndpoint.listen`."""
        factory = ProxiedFactory(protocolFactory, self._reactor, self._description)
        return self._endpoint.listen(factory)
