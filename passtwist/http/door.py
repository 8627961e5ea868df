"""A door: where the connections of one listening port come in.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory
from zope.interface import implementer

from passtwist.api.front_end import IDoor
from passtwist.http.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IAddress

    from passtwist.http.front import FrontEnd


@implementer(IProtocolFactory, IDoor)
class Door(Factory):
    """Makes the connections of a front end.

    :ivar keeps_alive: a connection may carry another request after this one.
    :ivar is_closed: connections end with the request that they are at.
    """

    noisy = False

    def __init__(self, front: FrontEnd, keeps_alive: bool) -> None:
        self.front = front
        self.keeps_alive = keeps_alive
        self.is_closed = False

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        connection = Connection(self.front, self)
        connection.factory = self
        return connection

    def logPrefix(self) -> str:
        return "FrontEnd"

    def close(self) -> None:
        """See `IDoor.close`."""
        self.front.close_door(self)

    def room(self) -> int:
        """See `IDoor.room`."""
        return self.front.crowd.room()

    def make_room(self, why: str) -> int:
        """See `IDoor.make_room`."""
        return self.front.crowd.make_room(why)

    def wait_for_room(self, come_in: Callable[[], object]) -> None:
        """See `IDoor.wait_for_room`."""
        self.front.crowd.wait_for_room(come_in)

    def shut(self) -> None:
        """Mark it as closed; whoever does that tells its connections."""
        self.is_closed = True
        self.keeps_alive = False
