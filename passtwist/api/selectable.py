"""Base of our own descriptors in the reactor.

Runs in: the controller.  For what Twisted's transports do not do: packets,
many descriptors with one message, pidfds, plain pipes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReadWriteDescriptor
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from passtwist.api.reactors import Reactor


@implementer(IReadWriteDescriptor)
class Selectable:
    """A descriptor that the reactor watches for us.

    :param descriptor: non-blocking; owned by the subclass.
    """

    def __init__(self, reactor: Reactor, descriptor: int) -> None:
        self._reactor = reactor
        self._descriptor = descriptor

    def fileno(self) -> int:
        """The descriptor; -1 once closed."""
        return self._descriptor

    def logPrefix(self) -> str:
        """For Twisted's log when a method of ours raises."""
        return type(self).__name__

    def doRead(self) -> None:
        """The descriptor is readable."""

    def doWrite(self) -> None:
        """The descriptor is writable."""

    def connectionLost(self, reason: Failure) -> None:
        """A hang-up without data, after which the reactor stops watching.

        Reading tells the same (end-of-file, exit status) in the same place.
        """
        self.doRead()

    def unwatch(self) -> None:
        """Stop watching; to be called before the descriptor is closed."""
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
