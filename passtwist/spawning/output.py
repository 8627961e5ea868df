"""What a process prints: logged by line with app and pid, never parsed.

Runs in: the controller.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from twisted.logger import Logger

from passtwist.api.selectable import Selectable
from passtwist.spawning.output_rate import OutputRate

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from passtwist.api.reactors import Reactor

# One turn of the reactor must stay short however much an app prints: this is
# about a hundred lines.
READ_SIZE = 8 * 1024
# What a pipe holds; of a flood most is thrown away, which is quick.
FLOOD_SIZE = 64 * 1024
# So long nothing of a flood is read, so that it does not keep the reactor busy; it
# goes on at 13 MB a second at most.
PAUSE = 0.005  # seconds
# As Passenger's PASSENGER_MAX_LOG_LINE_LENGTH_BYTES.
MAX_LINE = 8 * 1024
TAIL_LINES = 60


class Output(Selectable):
    """The read end of one process's stdout and stderr, until end-of-file.

    :param descriptor: non-blocking; closed at end-of-file.
    :param who: as in the journey: ``app``, ``worker``, ...
    :param rate: shared by all processes of the app; None for one of its own.
    """

    log = Logger(namespace="passtwist.app")

    def __init__(
        self,
        reactor: Reactor,
        descriptor: int,
        app: str,
        who: str,
        rate: OutputRate | None = None,
    ) -> None:
        super().__init__(reactor, descriptor)
        self.app = app
        self.who = who
        self.pid = 0
        self._rate = rate or OutputRate(app, reactor.seconds)
        self._partial = b""
        self._tail: deque[bytes] = deque(maxlen=TAIL_LINES)
        self._is_flood = False
        self._pause: IDelayedCall | None = None
        reactor.addReader(self)

    def tail(self) -> str:
        """The last lines printed."""
        self._drain()
        return "\n".join(map(_text, self._tail))

    def close(self) -> None:
        """Stop listening; the process gets EPIPE when it prints on."""
        if self._descriptor < 0:
            return
        self._drain()
        if self._partial:
            self._log([self._partial])
            self._partial = b""
        self._rate.report()
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self.unwatch()
        os.close(self._descriptor)
        self._descriptor = -1

    def doRead(self) -> None:
        """Log what has come."""
        if not self._read(READ_SIZE):
            self.close()
        elif self._is_flood:
            self._reactor.removeReader(self)
            self._pause = self._reactor.callLater(PAUSE, self._go_on)

    def _go_on(self) -> None:
        """Read more of a flood, if it goes on."""
        self._pause = None
        if not self._read(FLOOD_SIZE):
            self.close()
        elif self._is_flood:
            self._pause = self._reactor.callLater(PAUSE, self._go_on)
        else:
            self._rate.report()
            self._reactor.addReader(self)

    def _drain(self) -> None:
        """Read what the pipe holds now, at most its 64 KiB."""
        for _ in range(8):
            if self._descriptor < 0 or not self._read(READ_SIZE, quiet_end=True):
                return

    def _read(self, size: int, quiet_end: bool = False) -> bool:
        """Read once; False at the end."""
        self._is_flood = False
        try:
            data = os.read(self._descriptor, size)
        except BlockingIOError:
            return not quiet_end
        if not data:
            return False
        *lines, partial = (self._partial + data).split(b"\n")
        while len(partial) > MAX_LINE:
            lines.append(partial[:MAX_LINE])
            partial = partial[MAX_LINE:]
        self._partial = partial
        if lines:
            self._log(lines)
        return True

    def _log(self, lines: list[bytes]) -> None:
        self._tail.extend(lines[-TAIL_LINES:])
        allowed = self._rate.take(len(lines))
        self._is_flood = allowed < len(lines)
        for line in lines[:allowed]:
            self.log.info(
                "App {app} {who} {pid} output: {text}",
                app=self.app,
                who=self.who,
                pid=self.pid or "?",
                text=_shown(_text(line)),
            )
        if self._is_flood:
            self._rate.complain()


def _shown(text: str) -> str:
    """What an app prints may be a client's, so none of it steers a terminal."""
    if text.isprintable():
        return text
    return "".join(
        one
        if one.isprintable() or one == "\t"
        else one.encode("unicode_escape").decode("ascii")
        for one in text
    )


def _text(line: bytes) -> str:
    return line[:MAX_LINE].decode("utf-8", "backslashreplace").rstrip("\r")
