"""Connections that a load balancer passes on, and says so by the PROXY protocol.

Runs in: the controller.

The connection's protocol is made at once, so that its deadlines hold from the
beginning; it sees its first byte when the header is complete, and from then on
its peer is the client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import ISSLTransport, IStreamServerEndpoint
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from zope.interface import alsoProvides, implementer

from passtwist.service.proxy_header import BadProxyHeader, read_header

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
    from passtwist.service.proxy_header import ProxyHeader

# Whoever scans ports must not fill the log.
_SECONDS_BETWEEN_WARNINGS = 60.0


class ProxiedConnection(ProtocolWrapper):
    """Takes the header off, and then stays out of the way."""

    transport: Any  # any of Twisted's stream transports

    def __init__(self, factory: ProxiedFactory, wrapped: IProtocol) -> None:
        super().__init__(factory, wrapped)
        self._ours = factory
        self._begun = b""
        self._header: ProxyHeader | None = None

    def dataReceived(self, data: bytes) -> None:
        self._begun += data
        try:
            header = read_header(self._begun)
        except BadProxyHeader as error:
            self._ours.refused(error)
            self._begun = b""
            self.transport.abortConnection()
            return
        if header is None:
            return
        self._header = header
        if header.secure:
            alsoProvides(self, ISSLTransport)
        wrapped = self.wrappedProtocol
        # What comes next is not for us.
        self.__dict__["dataReceived"] = wrapped.dataReceived
        rest, self._begun = self._begun[header.size :], b""
        if rest:
            wrapped.dataReceived(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # A bound method of the other: each would keep the other alive.
        self.__dict__.pop("dataReceived", None)
        super().connectionLost(reason)  # type: ignore[no-untyped-call]  # Twisted

    def getPeer(self) -> IAddress:
        header = self._header
        if header is not None and header.source is not None:
            return header.source
        peer: IAddress = self.transport.getPeer()
        return peer

    def getHost(self) -> IAddress:
        header = self._header
        if header is not None and header.destination is not None:
            return header.destination
        host: IAddress = self.transport.getHost()
        return host


class ProxiedFactory(WrappingFactory[ProxiedConnection]):
    """Makes them.

    :param description: the endpoint, for the log.
    """

    log = Logger(namespace="passtwist.service")
    protocol = ProxiedConnection
    noisy = False

    def __init__(
        self, wrapped: IProtocolFactory, reactor: Reactor, description: str
    ) -> None:
        super().__init__(wrapped)  # type: ignore[no-untyped-call]  # Twisted
        self._reactor = reactor
        self._description = description
        self._refused = 0
        self._warn_from = 0.0

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
