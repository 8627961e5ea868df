"""What every new process below the controller does to be on its own.

Runs in: every process below the controller, between its fork and its work.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Iterable

from passtwist.worker import lifeline

STDIN, STDOUT, STDERR = 0, 1, 2

# What `print_to` was told last.
_log_file = ""


def stand_alone(lifeline_descriptor: int, output: int) -> None:
    """New session, lifeline armed, standard streams of its own.

    *output* is closed: it has become stdout and stderr.

    :raises OSError: the descriptors are not what they should be.
    """
    os.setsid()
    lifeline.arm(lifeline_descriptor)
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(null, STDIN)
    os.close(null)
    os.dup2(output, STDOUT)
    os.dup2(output, STDERR)
    if output > STDERR:
        os.close(output)


def print_to(log_file: str) -> None:
    """Make *log_file* stdout and stderr; "" changes nothing.

    Opened with this process's own rights, and not through a link: it may lie in
    a folder where others write.  What can't be opened is no reason not to serve,
    so the pipe to the server's log stays.
    """
    prints_to(log_file)
    if not log_file:
        return
    # O_NONBLOCK: a FIFO that nobody reads must not hang us.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(log_file, flags | os.O_NOCTTY | os.O_CLOEXEC, 0o640)
    except OSError as error:
        reason = "it is a link" if error.errno == errno.ELOOP else error.strerror
        text = "passtwist: log_file %s can't be opened: %s\n" % (log_file, reason)
        os.write(STDERR, text.encode("utf-8", "surrogateescape"))
        return
    os.set_blocking(descriptor, True)
    os.dup2(descriptor, STDOUT)
    os.dup2(descriptor, STDERR)
    os.close(descriptor)


def prints_to(log_file: str) -> None:
    """Before this process's program was started, `print_to` was called with that."""
    global _log_file
    _log_file = log_file


def reopen_log() -> None:
    """The file that we print to was moved away."""
    print_to(_log_file)


def close_all_but(keep: Iterable[int]) -> None:
    """Close every descriptor above stderr that is not in *keep*.

    Through the listing, not through `os.closerange` up to the limit: that may
    be a million, and on Python 3.9 each is a system call.
    """
    kept = set(keep) | {STDIN, STDOUT, STDERR}
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                pass  # the listing's own


def flush_streams() -> None:
    """Flush stdout and stderr, so that a fork or `os._exit` loses nothing."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            if stream is not None:
                stream.flush()
        except Exception:  # noqa: BLE001 - nothing to say it to
            pass  # closed, broken, or replaced by something that can't
