"""What the threads of a process are at, told by the process on SIGUSR2.

Runs in: the controller.

`faulthandler` writes the stacks into a pipe of the process's own, from within
the signal's handler, so it need not come to any other end first: not to that
of an endless loop, nor to that of a call into C.  What comes without having
been asked for goes to the log.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from passtwist.api.failures import NoStacks
from passtwist.api.selectable import Selectable

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IDelayedCall

    from passtwist.api.reactors import Reactor

# A process that says nothing for so long won't.
PATIENCE = 5.0  # seconds
# The end of the stacks can't be read off them.
LOOK_EVERY = 0.02  # seconds
READ_SIZE = 64 * 1024
# faulthandler stops after 100 threads of 100 frames each.
MAX_SIZE = 4 * 1024 * 1024
# An app may write anything into the pipe, and never end a line.
MAX_LINE = 8 * 1024

_USR2 = 1 << (signal.SIGUSR2 - 1)


class Stacks(Selectable):
    """The read end of one process's pipe for stacks, until end-of-file.

    :param descriptor: non-blocking; closed at end-of-file.
    :param who: as in the journey: ``app``, ``worker``, ...
    """

    log = Logger(namespace="passtwist.app")

    def __init__(
        self, reactor: Reactor, descriptor: int, app: str, who: str, pid: int
    ) -> None:
        super().__init__(reactor, descriptor)
        self.app = app
        self.who = who
        self.pid = pid
        self._waiting: list[Deferred[str]] = []
        self._found = b""
        self._look: IDelayedCall | None = None
        self._deadline = 0.0
        reactor.addReader(self)

    def ask(self, send: Callable[[signal.Signals], None]) -> Deferred[str]:
        """The stacks of all threads, as faulthandler writes them.

        :param send: sends a signal to the process.
        :returns: errbacks with `NoStacks`, after PATIENCE seconds at the latest.
        """
        if self._descriptor < 0:
            return fail(NoStacks("it has ended, or has closed what it tells them by"))
        if not _mask_of(self.pid, "SigCgt") & _USR2:
            # The signal would end it.
            return fail(NoStacks("it is not ready to tell them: it starts, or ends"))
        waiter: Deferred[str] = Deferred()
        self._waiting.append(waiter)
        if len(self._waiting) == 1:
            self._log_rest()
            send(signal.SIGUSR2)
            self._deadline = self._reactor.seconds() + PATIENCE
            self._look_later()
        return waiter

    def close(self) -> None:
        """Stop listening.  Harmless when closed."""
        if self._descriptor < 0:
            return
        self.unwatch()
        os.close(self._descriptor)
        self._descriptor = -1
        self._end()

    def doRead(self) -> None:
        """Take what has come."""
        try:
            data = os.read(self._descriptor, READ_SIZE)
        except BlockingIOError:
            return
        if not data:
            self.close()
            return
        self._found += data
        if len(self._found) > MAX_SIZE:
            self._end()
        if not self._waiting:
            self._log_lines()

    # --- the end of what was asked for ----------------------------------------

    def _look_later(self) -> None:
        self._look = self._reactor.callLater(LOOK_EVERY, self._looked)

    def _looked(self) -> None:
        self._look = None
        overdue = self._reactor.seconds() >= self._deadline
        # In this order: what it writes before it leaves the handler is there to
        # be read once it has left.
        is_at_it = is_handling(self.pid)
        self._drain()
        if not self._waiting:
            return
        if overdue or (self._found and not is_at_it):
            self._end()
        else:
            self._look_later()

    def _drain(self) -> None:
        # Whoever writes without end must not keep us: for MAX_SIZE nobody waits.
        while self._descriptor >= 0 and self._waiting:
            before = len(self._found)
            self.doRead()
            if len(self._found) == before:
                return

    def _end(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        found, self._found = self._found, b""
        for waiter in waiting:
            if found:
                waiter.callback(found.decode("utf-8", "backslashreplace"))
            else:
                waiter.errback(NoStacks(why_silent(self.pid)))

    # --- what was not asked for -----------------------------------------------

    def _log_lines(self) -> None:
        *lines, self._found = self._found.split(b"\n")
        for line in lines:
            self._log_line(line)
        if len(self._found) > MAX_LINE:
            self._log_rest()

    def _log_rest(self) -> None:
        rest, self._found = self._found, b""
        if rest:
            self._log_line(rest)

    def _log_line(self, line: bytes) -> None:
        self.log.info(
            "App {app} {who} {pid} stacks: {text}",
            app=self.app,
            who=self.who,
            pid=self.pid,
            text=line.decode("utf-8", "backslashreplace"),
        )


def is_handling(pid: int) -> bool:
    """Whether SIGUSR2 waits for *pid*, or a thread of it is in its handler.

    There the kernel blocks the signal for that thread.
    """
    if _mask_of(pid, "ShdPnd") & _USR2:
        return True
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return False
    return any(_mask_of(f"{pid}/task/{one}", "SigBlk") & _USR2 for one in threads)


def why_silent(pid: int) -> str:
    """What may be the cause when a process does not answer the signal."""
    state = _field_of(pid, "State")
    # One that is dying gives up its memory, then its descriptors, then its state.
    if not state or state[0] in "ZX" or not _field_of(pid, "VmSize"):
        return "it has ended"
    if state[0] in "Tt":
        return f"it is stopped, by a signal or a debugger ({state})"
    if state[0] == "D":
        return f"the kernel does not let it go on ({state})"
    if _mask_of(pid, "ShdPnd") & _USR2:
        return "it blocks SIGUSR2"
    return "it has a handler of its own for SIGUSR2, or has closed its descriptors"


def _mask_of(process: int | str, field: str) -> int:
    """One of the signal masks in ``/proc/PROCESS/status``; 0 when it is gone."""
    return int(_field_of(process, field) or "0", 16)


def _field_of(process: int | str, field: str) -> str:
    try:
        with open(f"/proc/{process}/status", encoding="utf-8", errors="replace") as one:
            for line in one:
                name, _, value = line.partition(":")
                if name == field:
                    return value.strip()
    except OSError:
        pass
    return ""
