"""What lets clients in, as the service sees it.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import Interface

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.defer import Deferred


class IDoor(Interface):
    """Where the connections of one listening port come in; their factory."""

    def close() -> None:
        """Let its connections end with the request that they are at."""

    def room() -> int:
        """How many more clients may come in now.

        Connections that nobody would miss are closed for them, so ask only when
        somebody is there.
        """

    def make_room(why: str) -> int:
        """Close connections that nobody would miss; answers how many.

        :param why: the beginning of a sentence in the log: what is short.
        """

    def wait_for_room(come_in: Callable[[], object]) -> None:
        """Call *come_in* once, when there is room again."""


class IFrontEnd(Interface):
    """What accepts the clients' connections, as the service sees it."""

    def open_door() -> IDoor:
        """A factory for the connections of another listening port."""

    def keep_connections(keep: bool) -> None:
        """Whether a connection may carry another request after the one it has."""

    def drain() -> Deferred[None]:
        """Close connections as they become idle; fires when none is left."""

    def clients() -> dict[str, Any]:
        """For the status page: how many there are, and what was counted of them."""

    def abort_connections() -> int:
        """Close every connection now; answers how many requests that cuts off."""
