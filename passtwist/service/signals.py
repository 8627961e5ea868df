"""The signals that the controller answers (DESIGN section 9).

Runs in: the controller, in its main thread.

Set with `reactor.callWhenRunning`, because twistd sets its own when the
reactor starts; and Twisted's own TERM handler would make a clean drain end
with status 143.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


# Without a handler.
_FATAL = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """Calls back in the reactor's thread, between two of its turns.

    :param stop: TERM or INT, the first time.
    :param stop_now: TERM or INT, again.
    :param hang_up: HUP.
    :param reopen_logs: USR1.
    :param dump: USR2.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(
        self,
        call_soon: Callable[[Callable[[], None]], None],
        stop: Callable[[], None],
        stop_now: Callable[[], None],
        hang_up: Callable[[], None],
        reopen_logs: Callable[[], None],
        dump: Callable[[], None],
    ) -> None:
        self._call_soon = call_soon
        self._actions: dict[int, Callable[[], None]] = {
            signal.SIGTERM: self._stop,
            signal.SIGINT: self._stop,
            signal.SIGHUP: hang_up,
            signal.SIGUSR1: reopen_logs,
            signal.SIGUSR2: dump,
        }
        self._stop_once = stop
        self._stop_now = stop_now
        self._stopping = False
        # What twistd does with a log file that is its own, as with a tac file.
        self._rotate: Callable[[int, FrameType | None], Any] | None = None

    def await_start(self) -> None:
        """Keep what would end the process for when the reactor runs.

        A second signal of the kind does end it: the start itself may hang.  USR1 and
        USR2 are left alone, for twistd looks whether somebody has USR1.
        """
        for number in _FATAL:
            signal.signal(number, self._came_early)

    def install(self) -> None:
        """Answer the signals from now on."""
        for number in self._actions:
            before = signal.signal(number, self._came)
            if number == signal.SIGUSR1 and callable(before):
                self._rotate = before

    def _came_early(self, number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        self._call_soon(self._actions[number])

    def _came(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGUSR1 and self._rotate is not None:
            self._rotate(number, frame)
        self._call_soon(self._actions[number])

    def _stop(self) -> None:
        if self._stopping:
            self.log.warn("asked again to stop: stopping now")
            self._stop_now()
        else:
            self._stopping = True
            self.log.info("asked to stop: finishing what runs")
            self._stop_once()
