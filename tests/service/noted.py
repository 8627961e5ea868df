"""What an epoll watches in a test.

Runs in: tests.
"""

from __future__ import annotations

from passtwist.api.selectable import Selectable


class Noted(Selectable):
    """One end of a pair of sockets; notes what it is told."""

    def __init__(self, poller, end, answer=None):
        super().__init__(poller, end.fileno())
        self.end = end
        self.told = []
        self.answer = answer

    def doRead(self):
        self.told.append(("read", self.end.recv(100)))
        if isinstance(self.answer, ArithmeticError | SystemExit):
            raise self.answer
        return self.answer

    def doWrite(self):
        self.told.append("write")
        self._reactor.removeWriter(self)

    def connectionLost(self, reason):
        self.told.append(reason.type.__name__)


def is_led(reactor):
    """Whether somebody waits in its place."""
    return "doIteration" in vars(reactor)
