"""How fast a client takes what waits for it.

Runs in: the controller; only for clients for which something waits.

The kernel takes bytes long before the client does, and says that it takes more only
when a large part of its buffer is free again: for a client of 10 KB a second that can
be minutes.  So it is asked what the client has acknowledged, four times in the time
that a client has.  An app that is slow to give its response does not count: as long as
nothing waits for the client nobody looks.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from typing import TYPE_CHECKING

from twisted.internet import tcp
from twisted.protocols.policies import ProtocolWrapper

from passtwist.http.deadlines import TICK
from passtwist.http.pace import Pace

if TYPE_CHECKING:
    from passtwist.http.config import HttpLimits
    from passtwist.http.output import Output

# tcpi_bytes_acked of struct tcp_info in linux/tcp.h; since Linux 4.2.
_ACKNOWLEDGED = struct.Struct("=120xQ")
_LOOKS = 4
# Bytes in the kernel that the client's window has no room for yet.
_UNSENT = 512 * 1024


class Sending:
    """The time from which on something waits for a client until nothing does.

    :param now: reactor seconds, as for `look`.
    """

    __slots__ = ("_interval", "_output", "_pace", "_taken", "_transport")

    def __init__(
        self, transport: object, output: Output, limits: HttpLimits, now: float
    ) -> None:
        self._transport = transport
        self._output = output
        patience = limits.send_timeout
        self._pace = Pace(limits.send_min_rate, patience, patience, now)
        self._interval = max(patience / _LOOKS, TICK)
        self._taken = bytes_taken(transport, output.handed)

    def next_look(self, now: float) -> float:
        """When to look (reactor seconds)."""
        return min(self._pace.due, now + self._interval)

    def is_too_slow(self, now: float) -> bool:
        """Look what the client has taken meanwhile."""
        taken = bytes_taken(self._transport, self._output.handed)
        self._pace.progressed(max(taken - self._taken, 0), now)
        self._taken = taken
        return self._pace.due <= now

    def postpone(self, seconds: float) -> None:
        """See `Pace.postpone`."""
        self._pace.postpone(seconds)


def prepare(transport: object) -> None:
    """Have the kernel send small pieces at once, and take no more than it can send.

    It would take some megabytes for each client that reads slowly, in memory that all
    sockets of the machine share; what we hold for it can wait in a file.
    """
    handle = socket_of(transport)
    if handle is None or handle.family == socket.AF_UNIX:
        return
    try:
        # Heads and bodies of streamed responses are small separate writes.
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
    except OSError:
        pass  # it is broken, which reading will tell


def socket_of(transport: object) -> socket.socket | None:
    """What is below Twisted's transport and all wrappers; None when it is closed."""
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    if not isinstance(transport, tcp.Connection) or transport.disconnected:
        return None
    handle: socket.socket = transport.socket
    return handle


def bytes_taken(transport: object, handed: int) -> int:
    """A number that grows by one with each byte that the client has taken.

    :param transport: one of Twisted's, with any wrappers around it.
    :param handed: bytes that were handed to it.
    """
    handle = socket_of(transport)
    if handle is None:
        return handed
    try:
        if handle.family == socket.AF_UNIX:
            queued = fcntl.ioctl(handle, termios.TIOCOUTQ, bytes(4))
            return handed - int.from_bytes(queued, "little", signed=True)
        size = _ACKNOWLEDGED.size
        info = handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, size)
        return int(_ACKNOWLEDGED.unpack(info)[0])
    except (OSError, struct.error):  # broken, or an older kernel
        return handed
