"""Fork, fork twice, and exec with descriptors in known places.

Runs in: the manager and spawners, and in the children that they make.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import time
import warnings
from typing import Mapping, NoReturn, Sequence

from passtwist.worker import signals, title
from passtwist.worker.process import close_all_but, flush_streams

# The first descriptor behind the standard streams; exec'd processes find
# theirs from here on.
FIRST = 3
# Above everything that `place` places, so that placing one can't
# overwrite another.
_HIGH = 128

# Since then `os.fork` warns of threads.
_WARNS = sys.version_info >= (3, 12)

_REPARENT_PAUSE = 0.0002  # seconds


def fork() -> int:
    """`os.fork`, with nothing buffered that both would print.

    :raises OSError: the operating system refused.
    """
    flush_streams()
    if not _WARNS:
        return os.fork()
    with warnings.catch_warnings():
        # The audit has seen the threads, and they are allowed.  As an error, the
        # warning would end a child already made.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def fork_twice() -> int:
    """Make a process that is to be no child of ours but of the subreaper.

    Answers 0 here, and in that process the pid of the one between us, which is
    about to end: give it to `wait_for_adoption`.

    :raises OSError: the operating system refused; in this process only.
    """
    pid = fork()
    if pid:
        try:
            _, status = os.waitpid(pid, 0)
        except ChildProcessError:
            return 0  # a SIGCHLD handler of the app's was faster
        if status:
            refused = os.WEXITSTATUS(status) if os.WIFEXITED(status) else errno.EAGAIN
            raise OSError(refused, os.strerror(refused))
        return 0
    between = os.getpid()
    try:
        # Whoever reaps our parent kills its process group: from now on what we
        # fork is in another one, also before it has begun to do anything.
        os.setsid()
        if os.fork():
            os._exit(0)
    except OSError as error:
        os._exit(error.errno or errno.EAGAIN)
    return between


def wait_for_adoption(between: int) -> None:
    """Wait until our parent is the controller.

    Before that nobody may hear of us: it could not believe our pid.  To give
    all its memory back takes the process between us a while, in which we can do
    something useful.
    """
    while os.getppid() == between:
        time.sleep(_REPARENT_PAUSE)


def lift(descriptor: int) -> int:
    """A copy of *descriptor* that `place` does not overwrite."""
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH)


def place(descriptors: Sequence[int], keep: int) -> None:
    """Put *descriptors* at 3, 4, ..., where an exec'd process looks for them.

    Closes all others but *keep*: they are the parent's, and with a low limit of
    descriptors there would be no room beside them.

    :param keep: made by `lift`.
    """
    lifted = [lift(each) for each in descriptors]
    for target, descriptor in enumerate(lifted, FIRST):
        os.dup2(descriptor, target, inheritable=True)
    close_all_but((*range(FIRST, FIRST + len(lifted)), keep))


def exec_role(
    python: str, code: str, role: str, environment: Mapping[str, str]
) -> NoReturn:
    """Become a fresh interpreter running *role*.

    :param code: RUNTIME_DIR/code.
    :raises OSError: there is no such interpreter, or it can't be executed.
    """
    signals.reset()
    arguments = [python, code + "/bootstrap.py", role, title.ROOM]
    os.execve(python, arguments, dict(environment))
