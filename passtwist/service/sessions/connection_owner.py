"""Whom a connection to a worker tells what happens.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from passtwist.service.sessions.connection import Connection
    from passtwist.service.sessions.session import Session


class ConnectionOwner(Protocol):
    """Has all connections of one worker."""

    def connection_ready(self, connection: Connection) -> None:
        """READY has come: it is capacity now."""

    def session_ended(self, connection: Connection) -> None:
        """The session is over and the connection can carry the next."""

    def connection_lost(self, connection: Connection, session: Session | None) -> None:
        """It is closed; *session*, ended or not, still has its place in the pool."""

    def is_begun(self, connection: Connection, session: Session) -> bool:
        """The worker has begun *session*."""

    def follower_lost(self, session: Session) -> None:
        """The worker has taken it, and its answer will not be had."""
