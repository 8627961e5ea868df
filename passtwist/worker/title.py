"""Names for ``ps`` and ``top``: which server's process this is, and for whom.

Runs in: every process below the controller.

Linux keeps two names of a process.  ``comm`` has 15 bytes.  The command line that
``ps`` shows is read from the process's own memory, where the kernel once put its
arguments; they are overwritten there.  Python has read them long ago.
"""

from __future__ import annotations

import os
from typing import Optional, Tuple

# An argument that nobody reads: room for a title that is longer than a command.
ROOM = "-" * 64

# Fields of /proc/self/stat behind the command's name (proc(5), less three).
_ARG_START, _ARG_END = 45, 46

# Where the arguments are and how many bytes they have; with the folder whose
# code we run, which tells one server's processes from another's.  Found once:
# a forked process has them in the same place.
_place: Optional[Tuple[int, int, bytes]] = None


def set_title(role: str, name: str = "") -> None:
    """Say that this is the *role* of *name*, an app's or a framework's.

    What can't be done is left out: a name is a convenience.
    """
    short = {"worker": "pt", "app spawner": "pt-app", "framework spawner": "pt-fw"}
    comm = ("%s %s" % (short[role], name)) if name else "passtwist-mgr"
    _write("/proc/self/comm", _bytes(comm)[:15], 0)
    try:
        start, size, code = _find_place()
        text = _bytes(("passtwist: %s %s" % (role, name)).rstrip())
        # Behind it NUL, else the kernel takes the environment for its rest.
        most = size - len(code) - 2
        if most < len(text):
            text = text[: max(0, most - 2)] + b".."
        _write("/proc/self/mem", (text + b" " + code).ljust(size, b"\0")[:size], start)
    except (OSError, ValueError, IndexError):
        pass  # no /proc, or another than we know


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _find_place() -> Tuple[int, int, bytes]:
    global _place
    if _place is None:
        with open("/proc/self/stat", "rb") as stat:
            # The command's name may hold anything, parentheses too.
            fields = stat.read().rpartition(b")")[2].split()
        with open("/proc/self/cmdline", "rb") as cmdline:
            arguments = cmdline.read()
        start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
        if not 0 < start < end or len(arguments) != end - start:
            raise ValueError("the arguments are somewhere else")
        scripts = [one for one in arguments.split(b"\0") if one.endswith(b".py")]
        _place = start, end - start, os.path.dirname(scripts[0])
    return _place


def _write(path: str, data: bytes, at: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.lseek(descriptor, at, os.SEEK_SET)
            os.write(descriptor, data)
        finally:
            os.close(descriptor)
    except OSError:
        pass  # a system without it: the other name may do
