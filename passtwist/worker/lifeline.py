"""The pipe whose closing ends this process, whatever it is doing.

Runs in: every process below the controller, before anything else of its own.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal


def arm(descriptor: int) -> None:
    """Let the kernel kill this process when the pipe's write end closes.

    By SIGKILL straight from the kernel, so it works in an endless loop and
    with every signal handler replaced.  A thread that reads the pipe would
    need the interpreter lock; PR_SET_PDEATHSIG fires at the wrong death after
    a double fork.

    :param descriptor: read end of a pipe that no other process has armed: the
        owner belongs to the open file, not to the descriptor.
    """
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGKILL)
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_ASYNC)
    # It may have closed before it was armed; then no signal comes any more.
    poll = select.poll()
    poll.register(descriptor, 0)
    if poll.poll(0):
        os.kill(os.getpid(), signal.SIGKILL)
