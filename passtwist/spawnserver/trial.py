"""Fork a copy of this process that tries something and ends.

Runs in: app spawners, and the copies.
"""

from __future__ import annotations

import os
import select
import signal
import time
from typing import Callable, NoReturn, Optional

from passtwist.spawnserver.processes import fork
from passtwist.worker import signals

Say = Callable[[str], None]
Work = Callable[[Say], object]

LIMIT = 2.0  # seconds
# A copy ends itself at the limit, whoever else is gone by then; only one that
# hangs in a function that runs at the fork can't.
_GRACE = 0.5


def try_fork(work: Optional[Work] = None) -> str:
    """Fork, do *work* in the copy, and end it.

    :param work: is given a function that takes lines for the caller; by
        default the copy ends at once.
    :returns: what it has said, when it ended or after LIMIT.
    :raises OSError: the operating system refused.
    """
    heard, said = os.pipe()
    try:
        pid = fork()
        if not pid:
            _be_copy(said, work)
    finally:
        os.close(said)
    try:
        return _listen(heard, pid)
    finally:
        os.close(heard)
        _end(pid)


def _be_copy(said: int, work: Optional[Work]) -> NoReturn:
    """Never returns, never raises: what is below in the stack is not ours."""
    try:
        signals.reset()
        signal.setitimer(signal.ITIMER_REAL, LIMIT)
        if work is not None:
            work(lambda line: _say(said, line))
    finally:
        os._exit(0)


def _say(said: int, line: str) -> None:
    os.write(said, line.encode("utf-8", "replace") + b"\n")


def _listen(heard: int, pid: int) -> str:
    pidfd = os.pidfd_open(pid)
    try:
        poller = select.poll()
        poller.register(heard, select.POLLIN)
        # A process that the app forks in the copy may hold the pipe open.
        poller.register(pidfd, select.POLLIN)
        deadline = time.monotonic() + LIMIT + _GRACE
        text = b""
        while True:
            left = deadline - time.monotonic()
            ready = [number for number, _ in poller.poll(max(0.0, left) * 1000)]
            if heard in ready:
                data = os.read(heard, 65536)
                text += data
                if data:
                    continue
            if ready or left <= 0:
                return text.decode("utf-8", "replace")
    finally:
        os.close(pidfd)


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass  # a SIGCHLD handler of the app's was faster
