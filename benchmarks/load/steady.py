"""A light and steady load: a few clients, each with its pause after a request."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.load.clients import Clients

if TYPE_CHECKING:
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


class SteadyLoad(Clients):
    """`with SteadyLoad(running) as load: ...`; ends with the block.

    Each request has a connection of its own.

    :ivar answers: so far; only ever grows.
    """

    def __init__(self, running: Running) -> None:
        super().__init__(CLIENTS)
        self.answers: list[Answer] = []
        self._running = running

    @property
    def failed(self) -> int:
        """Requests without an answer, or with another one than 200."""
        return sum(not answer.pid for answer in list(self.answers))

    def client(self, number: int) -> None:
        """One request in each period, or as soon as the last has ended."""
        due = time.monotonic()
        while not self.over.wait(max(0.0, due - time.monotonic())):
            due = max(due + PERIOD, time.monotonic())
            try:
                pid = int(self._running.get(PATH, TIMEOUT))
            except OSError:
                pid = 0
            self.answers.append(Answer(time.monotonic(), pid))
