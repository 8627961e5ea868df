"""Clients in threads that ask for as long as a block lasts."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class Clients(ABC):
    """`with Clients(...) as load: ...`; subclasses say what one client does.

    :ivar over: set at the block's end; a client ends when it sees that.
    """

    def __init__(self, count: int) -> None:
        self.over = threading.Event()
        self._threads = [
            threading.Thread(target=self.client, args=(number,))
            for number in range(count)
        ]

    @abstractmethod
    def client(self, number: int) -> None:
        """Ask until it is over."""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join()
