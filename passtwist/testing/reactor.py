"""A reactor that turns by hand: real descriptors, a clock that we set.

Runs in: tests.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any

from twisted.internet.task import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor

    from passtwist.api.reactors import Reactor


class HandReactor(Clock):
    """Nothing happens but in `turn` and `advance`."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[IReadDescriptor] = []
        self.writers: list[IWriteDescriptor] = []

    def callFromThread(
        self, call: Callable[..., Any], /, *args: Any, **kw: Any
    ) -> None:
        """Call in the next `advance`."""
        self.callLater(0, call, *args, **kw)

    def addReader(self, reader: IReadDescriptor) -> None:
        """Watch for readability."""
        if reader not in self.readers:
            self.readers.append(reader)

    def removeReader(self, reader: IReadDescriptor) -> None:
        """Stop watching."""
        if reader in self.readers:
            self.readers.remove(reader)

    def addWriter(self, writer: IWriteDescriptor) -> None:
        """Watch for writability."""
        if writer not in self.writers:
            self.writers.append(writer)

    def removeWriter(self, writer: IWriteDescriptor) -> None:
        """Stop watching."""
        if writer in self.writers:
            self.writers.remove(writer)

    def turn(self) -> bool:
        """Let everything that is ready happen once; False when nothing is."""
        readable, writable, _ = select.select(self.readers, self.writers, [], 0)
        for reader in readable:
            if reader in self.readers:
                reader.doRead()
        for writer in writable:
            if writer in self.writers:
                writer.doWrite()
        return bool(readable or writable)

    def settle(self) -> None:
        """Turn until nothing is ready."""
        while self.turn():
            pass


def _verify(reactor: HandReactor) -> Reactor:
    """The type checker holds it against what the services ask for."""
    return reactor
