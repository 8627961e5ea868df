"""Signal dispositions of spawners and workers.

Runs in: every process below the controller.

The table: DESIGN section 2, rule 11.  Manager and spawners ignore TERM, INT
and HUP, they end with the channel from above.  A worker has a handler that does
nothing for INT, and one for HUP that opens its log anew; were they ignored, the
app's own subprocesses would inherit that.
"""

from __future__ import annotations

# What `signal` is made of.  Around it that only makes enumerations of numbers,
# which for all signals costs each forked worker 230 KiB of memory.
import _signal  # type: ignore[import-not-found]  # has no stubs
import faulthandler
import os
import signal
import threading
from types import FrameType
from typing import Callable, Optional

# Where stacks go; until somebody says otherwise, to the log with what is printed.
_stacks = 2

IGNORED_BY_SPAWNERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def settle_spawner() -> None:
    """The dispositions of the manager and of spawners."""
    for number in IGNORED_BY_SPAWNERS:
        signal.signal(number, signal.SIG_IGN)
    # Inherited as ignored, waitpid() would never give a child's status.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def reset() -> None:
    """Undo what spawners, or an app loaded in one, have set.

    What is ignored by intention (SIGPIPE, by Python itself) stays ignored.
    """
    signal.set_wakeup_fd(-1)
    for number in range(1, signal.NSIG):
        if callable(_signal.getsignal(number)):
            _signal.signal(number, _signal.SIG_DFL)
    for number in (*IGNORED_BY_SPAWNERS, signal.SIGCHLD):
        _signal.signal(number, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())


def show_stacks_on(descriptor: int) -> None:
    """On SIGUSR2, write the stacks of all threads to *descriptor*.

    From the handler itself, so also in an endless loop and in a call into C.
    It is taken over; that of the process which we were forked from is closed.
    """
    global _stacks
    before, _stacks = _stacks, descriptor
    faulthandler.register(signal.SIGUSR2, file=descriptor, all_threads=True)
    if before > 2:
        try:
            os.close(before)
        except OSError:
            pass  # the app has closed it


def settle_worker(
    on_term: Callable[[], None], on_hang_up: Callable[[], None] = lambda: None
) -> None:
    """The dispositions of a worker that serves.

    In a process that the app forks off it they are the default ones: with the
    worker's, `multiprocessing.Process.terminate` would not end it.

    :param on_term: called in the main thread, between two instructions of
        whatever runs there; must not wait for anything.
    :param on_hang_up: the same.
    """
    worker = os.getpid()

    def handle(number: int, _frame: Optional[FrameType]) -> None:
        if os.getpid() != worker:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif number == signal.SIGTERM:
            on_term()
        elif number == signal.SIGHUP:
            on_hang_up()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        _signal.signal(number, handle)
    # The app may have put its own there.
    faulthandler.register(signal.SIGUSR2, file=_stacks, all_threads=True)
    _hold_term_over_forks()


def _hold_term_over_forks() -> None:
    """Let no SIGTERM get lost that comes to a forked process at once.

    CPython forgets in the child which signals have come but were not handled
    yet.  One that is blocked stays with the kernel until it is let in.
    """
    before = threading.local()

    def hold() -> None:
        before.mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

    def let_in() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before.mask)

    def let_in_copy() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        let_in()

    os.register_at_fork(before=hold, after_in_parent=let_in, after_in_child=let_in_copy)
