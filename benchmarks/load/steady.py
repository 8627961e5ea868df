"""A light and steady load: a few clients, each with its pause after a request."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from benchmarks.servers import Running

# Each keeps a worker busy for 20 of 50 ms, so three of them need two workers:
# a server that gives work to its first idle worker needs its second one, too.
CLIENTS = 3
PATH = "/sleep?20"
PERIOD = 0.05

TIMEOUT = 5.0


@dataclass(frozen=True)
class Answer:
    """One request that ended.

    :ivar when: monotonic seconds.
    :ivar pid: of the worker that answered; 0 if none did.
    """

    when: float
    pid: int


class SteadyLoad:
    """`with SteadyLoad(running) as load: ...`; ends with the block.

    Each request has a connection of its own.

    :ivar answers: so far; only ever grows.
    """

    def __init__(self, running: Running) -> None:
        self.answers: list[Answer] = []
        self._running = running
        self._over = threading.Event()
        self._clients = [threading.Thread(target=self._client) for _ in range(CLIENTS)]

    def __enter__(self) -> SteadyLoad:
        for client in self._clients:
            client.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        for client in self._clients:
            client.join()

    @property
    def failed(self) -> int:
        """Requests without an answer, or with another one than 200."""
        return sum(not answer.pid for answer in list(self.answers))

    def _client(self) -> None:
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            due = max(due + PERIOD, time.monotonic())
            try:
                pid = int(self._running.get(PATH, TIMEOUT))
            except OSError:
                pid = 0
            self.answers.append(Answer(time.monotonic(), pid))
