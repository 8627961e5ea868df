"""The signals that the controller answers (DESIGN section 9).

Runs in: the controller, in its main thread.

They are taken in three steps.  What would end the process, at once; USR1 and
USR2 when twistd has looked whether somebody has USR1; and all of them once more
with `reactor.callWhenRunning`, because Twisted sets its own when the reactor
starts, and with its TERM handler a clean drain would end with status 143.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


# Without a handler all five end the process.
_FIRST = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_HARMLESS = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


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
        self._actions: dict[signal.Signals, Callable[[], None]] = {
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
        """Keep TERM, INT and HUP for when the reactor runs.

        A second signal of the kind does end it: the start itself may hang.  USR1 and
        USR2 are left alone, for twistd looks whether somebody has USR1.
        """
        for number in _FIRST:
            signal.signal(number, self._came_early)

    def await_reactor(self) -> None:
        """Keep HUP, USR1 and USR2 for when the reactor runs, however many come.

        To be called when twistd has looked; none of these ends the process then.
        """
        self._answer(_HARMLESS)

    def install(self) -> None:
        """Answer the signals from now on."""
        self._answer(tuple(self._actions))

    def _answer(self, numbers: tuple[signal.Signals, ...]) -> None:
        for number in numbers:
            before = signal.signal(number, self._came)
            if number == signal.SIGUSR1 and callable(before) and before != self._came:
                self._rotate = before

    def _came_early(self, number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        self._call_soon(self._actions[signal.Signals(number)])

    def _came(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGUSR1 and self._rotate is not None:
            self._rotate(number, frame)
        self._call_soon(self._actions[signal.Signals(number)])

    def _stop(self) -> None:
        if self._stopping:
            self.log.warn("asked again to stop: stopping now")
            self._stop_now()
        else:
            self._stopping = True
            self.log.info("asked to stop: finishing what runs")
            self._stop_once()
