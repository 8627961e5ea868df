"""The reactor as our services need it.

Runs in: the controller.  A reactor comes in as an argument; this names what
is asked of it, for the type checker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import (
        IDelayedCall,
        IReadDescriptor,
        IWriteDescriptor,
    )


class Reactor(Protocol):
    """Time and descriptors; every real Twisted reactor on Linux has both."""

    def seconds(self) -> float:
        """Seconds of the reactor's clock."""

    def callLater(
        self, delay: float, call: Callable[..., Any], /, *args: Any, **kw: Any
    ) -> IDelayedCall:
        """Call in *delay* seconds."""

    def callFromThread(
        self, call: Callable[..., Any], /, *args: Any, **kw: Any
    ) -> object:
        """Call in the reactor's thread, soon; the one thing for other threads."""

    def addReader(self, reader: IReadDescriptor) -> None:
        """Watch for readability."""

    def removeReader(self, reader: IReadDescriptor) -> None:
        """Stop watching."""

    def addWriter(self, writer: IWriteDescriptor) -> None:
        """Watch for writability."""

    def removeWriter(self, writer: IWriteDescriptor) -> None:
        """Stop watching."""
