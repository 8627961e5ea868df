"""Lets clients in, as long as there is room for them.

Runs in: the controller.

In place of the loop of Twisted's ports, which takes whoever comes; which, without
descriptors, closes all who wait, though others are idle; and which tries again for ever
when the whole machine has none.  Here nobody is taken for whom there is no room: those
wait in the kernel's queue, and the port is not looked at until there is room.
"""

from __future__ import annotations

import errno
import resource
import socket
from typing import TYPE_CHECKING, Any

from twisted.internet import tcp
from twisted.logger import Logger

if TYPE_CHECKING:
    from passtwist.api.front_end import IDoor

# In one turn of the reactor; then it is somebody else's.
_BURST = 64
# Who waits, waits in the kernel's queue: by default Twisted's is 50 long, and further
# clients would try again a second later.
_QUEUE = 4096
# The last ones are for the files and workers of those who are in.
_RESERVED_PART = 16
_RESERVED_LEAST = 16
# Until it is tried again when descriptors are short, and nobody is idle.
_PAUSE = 0.5  # seconds

_NUMBERS = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
_SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_NOBODY = (errno.EAGAIN, errno.EWOULDBLOCK)

_log = Logger(namespace="passtwist.service")


class Acceptor:
    """Accepts for one port.

    :param port: listens already; its reactor is asked for the pauses.
    :param door: the factory of its connections.
    """

    def __init__(self, port: tcp.Port, door: IDoor) -> None:
        self._port: Any = port  # what Twisted's own loop uses of it is not typed
        self._door = door

    def accept(self) -> None:
        """Let in who waits; called when the port is readable."""
        for _ in range(min(_BURST, self._door.room())):
            try:
                client, address = self._port.socket.accept()
            except OSError as error:
                if error.errno in _SHORT:
                    self._short(f"no descriptor for a client: {error.strerror}")
                    return
                if error.errno in _NOBODY:
                    return
                # This one has gone, or a firewall does not want it; the next may come.
                continue
            self._take(client, address)
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            # The kernel gives the lowest number: all below are in use.
            reserved = max(limit // _RESERVED_PART, _RESERVED_LEAST)
            if client.fileno() >= limit - reserved:
                self._short(f"of {limit} descriptors few are left")
                return
        if not self._door.room():
            self._port.stopReading()
            self._door.wait_for_room(self._go_on)

    def _take(self, client: socket.socket, address: Any) -> None:
        port = self._port
        if len(address) == 4:
            # IPv6; this way a link-local address has its interface with it.
            name, _ = socket.getnameinfo(address, _NUMBERS)
            address = (name, *address[1:])
        try:
            protocol = port.factory.buildProtocol(port._buildAddr(address))
            number = port.sessionno
            port.sessionno = number + 1
            transport = port.transport(
                client, protocol, address, port, number, port.reactor
            )
            protocol.makeConnection(transport)
        except Exception:  # noqa: BLE001 - logged: what a plugin's wrapper may raise
            _log.failure("a client could not be let in")
            client.close()

    def _short(self, why: str) -> None:
        if not self._door.make_room(why):
            self._port.stopReading()
            self._port.reactor.callLater(_PAUSE, self._go_on)

    def _go_on(self) -> None:
        if self._port.connected and not self._port.disconnecting:
            self._port.startReading()


def let_in(port: object, door: IDoor) -> None:
    """Have an `Acceptor` accept for *port*, if that is a socket of Twisted's."""
    if isinstance(port, tcp.Port) and port.connected:
        port.socket.listen(max(_QUEUE, port.backlog))
        # The reactor, and whoever closes the port, call this.
        port.doRead = Acceptor(port, door).accept  # type: ignore[method-assign]  # of one
