"""What a process prints: logged by line with app and pid, never parsed.

Runs in: the controller.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from twisted.logger import Logger

from passtwist.api.selectable import Selectable

if TYPE_CHECKING:
    from passtwist.api.reactors import Reactor

# One turn of the reactor must stay short however much an app prints: this is
# about a hundred lines.
READ_SIZE = 8 * 1024
# As Passenger's PASSENGER_MAX_LOG_LINE_LENGTH_BYTES.
MAX_LINE = 8 * 1024
TAIL_LINES = 60


class Output(Selectable):
    """The read end of one process's stdout and stderr, until end-of-file.

    :param descriptor: non-blocking; closed at end-of-file.
    :param who: as in the journey: ``app``, ``worker``, ...
    """

    log = Logger(namespace="passtwist.app")

    def __init__(self, reactor: Reactor, descriptor: int, app: str, who: str) -> None:
        super().__init__(reactor, descriptor)
        self.app = app
        self.who = who
        self.pid = 0
        self._partial = b""
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        reactor.addReader(self)

    def tail(self) -> str:
        """The last lines printed."""
        self._drain()
        return "\n".join(self._tail)

    def close(self) -> None:
        """Stop listening; the process gets EPIPE when it prints on."""
        if self._descriptor < 0:
            return
        self._drain()
        if self._partial:
            self._line(self._partial)
            self._partial = b""
        self.unwatch()
        os.close(self._descriptor)
        self._descriptor = -1

    def doRead(self) -> None:
        """Log what has come."""
        if not self._read():
            self.close()

    def _drain(self) -> None:
        """Read what the pipe holds now, at most its 64 KiB."""
        for _ in range(8):
            if self._descriptor < 0 or not self._read(quiet_end=True):
                return

    def _read(self, quiet_end: bool = False) -> bool:
        try:
            data = os.read(self._descriptor, READ_SIZE)
        except BlockingIOError:
            return not quiet_end
        if not data:
            return False
        *lines, partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._line(line)
        while len(partial) > MAX_LINE:
            self._line(partial[:MAX_LINE])
            partial = partial[MAX_LINE:]
        self._partial = partial
        return True

    def _line(self, line: bytes) -> None:
        text = line[:MAX_LINE].decode("utf-8", "backslashreplace").rstrip("\r")
        self._tail.append(text)
        self.log.info(
            "App {app} {who} {pid} output: {text}",
            app=self.app,
            who=self.who,
            pid=self.pid or "?",
            text=text,
        )
