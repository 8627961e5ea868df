"""Sockets that systemd has bound, and passed to us.

Runs in: the controller.

They are systemd's: it goes on listening when we have stopped, so the file of a
Unix socket is neither changed nor removed.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import execute
from twisted.internet.interfaces import IStreamServerEndpoint
from zope.interface import implementer

from passtwist.service.listening.bind_errors import EndpointError
from passtwist.service.listening.unix_endpoint import UnixPort

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.endpoints import AdoptedStreamServerEndpoint
    from twisted.internet.interfaces import IListeningPort, IProtocolFactory


def adopted(
    reactor: Any, endpoint: AdoptedStreamServerEndpoint, which: str
) -> IStreamServerEndpoint:
    """What to listen on with *endpoint*, as Twisted has found it.

    :param which: name or index, for messages.
    :raises EndpointError: the socket is gone, or another one than was said.
    """
    try:
        duplicate = socket.socket(fileno=os.dup(endpoint.fileno))
    except OSError:
        raise EndpointError(
            f"the socket {which} of systemd was listened on before, and is closed",
            "restart the server to get it again",
        ) from None
    with duplicate:
        family = duplicate.family
        listens = duplicate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if family != endpoint.addressFamily:
        raise EndpointError(
            f"the socket {which} of systemd is of another family",
            f"write domain={family.name.removeprefix('AF_')}",
        )
    if not listens:
        raise EndpointError(
            f"the socket {which} of systemd does not listen",
            "its unit needs ListenStream=, and Accept=no",
        )
    if family == socket.AF_UNIX:
        return PassedUnixEndpoint(reactor, endpoint.fileno)
    return endpoint


@implementer(IStreamServerEndpoint)
class PassedUnixEndpoint:
    """Listens on a Unix socket of which we have the descriptor.

    :param descriptor: is ours from the call of `listen` on.
    """

    def __init__(self, reactor: Any, descriptor: int) -> None:
        self._reactor = reactor
        self._descriptor = descriptor

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """See `IStreamServerEndpoint.listen`."""
        return execute(self._listen, protocolFactory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        passed = socket.socket(fileno=self._descriptor)
        passed.set_inheritable(False)
        passed.setblocking(False)
        port = UnixPort(passed, factory, 0, self._reactor, release=None)
        port.startListening()
        return port
