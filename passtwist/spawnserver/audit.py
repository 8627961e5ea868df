"""What in this process would break in a forked copy of it.

Runs in: app spawners, before and after their app is loaded.

Looks at what the kernel knows (`/proc/self`), because threads and sockets of
C libraries are as dangerous as Python's.
"""

from __future__ import annotations

import os
import socket
import stat
import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Dict, List, Optional, Sequence, Tuple

SQLITE_MAGIC = b"SQLite format 3\0"
_ENDINGS_OF_SQLITE = ("-wal", "-shm", "-journal")
_EVENT_LOOPS = {"anon_inode:[eventpoll]": "epoll", "anon_inode:[io_uring]": "io_uring"}


@dataclass(frozen=True)
class Finding:
    """Something that must not be forked.

    :ivar token: what allows it in ``fork_allow``, for example ``thread:sentry``.
    :ivar text: what it is.
    """

    token: str
    text: str

    def sentence(self) -> str:
        """What it is, and how to allow it."""
        return '%s (allowed by fork_allow = ["%s"])' % (self.text, self.token)


@dataclass(frozen=True)
class Sight:
    """What was seen at one moment.

    :ivar threads: kernel's thread number to the thread's name.
    :ivar descriptors: number to what it refers to, as /proc names it.
    """

    threads: Dict[int, str] = field(default_factory=dict)
    descriptors: Dict[int, str] = field(default_factory=dict)


def look() -> Sight:
    """What this process has now."""
    return Sight(_threads(), _descriptors())


def findings(before: Sight, after: Sight, allowed: Sequence[str]) -> List[str]:
    """Sentences about what is there *after* and was not *before*.

    :param allowed: tokens, or shell patterns of tokens, that are left out.
    """
    found = [*_new_threads(before, after), *_new_descriptors(before, after)]
    return [
        finding.sentence()
        for finding in found
        if not any(_matches(finding.token, pattern) for pattern in allowed)
    ]


def _matches(token: str, pattern: str) -> bool:
    return token == pattern or fnmatchcase(token, pattern)


def _new_threads(before: Sight, after: Sight) -> List[Finding]:
    return [
        Finding("thread:" + name, "thread %r runs; workers would not have it" % name)
        for number, name in sorted(after.threads.items())
        if number not in before.threads
    ]


def _new_descriptors(before: Sight, after: Sight) -> List[Finding]:
    found = []
    for number, target in sorted(after.descriptors.items()):
        if before.descriptors.get(number) != target:
            finding = _judge(number, target)
            if finding is not None and finding not in found:
                found.append(finding)
    return found


def _judge(number: int, target: str) -> Optional[Finding]:
    loop = _EVENT_LOOPS.get(target)
    if loop is not None:
        return Finding(
            loop, "an event loop is open (%s); workers would share it" % loop
        )
    if target.startswith("socket:"):
        peer = _peer(number)
        if peer is None:
            return None
        return Finding(
            "socket:" + peer,
            "a connection to %s is open; workers would mix on it" % peer,
        )
    if _is_sqlite(number, target):
        return Finding(
            "sqlite:" + target,
            "SQLite database %s is open; used after a fork it can be corrupted"
            % target,
        )
    return None


def _peer(number: int) -> Optional[str]:
    """Whom the socket is connected to, or None for nobody.

    Datagrams are left out: each stands for itself, so sharing does no harm.
    """
    try:
        probe = socket.socket(fileno=os.dup(number))
    except OSError:
        return None
    with probe:
        if probe.type == socket.SOCK_DGRAM:
            return None
        try:
            address = probe.getpeername()
        except OSError:
            return None
        if probe.family == socket.AF_INET6:
            return "[%s]:%d" % address[:2]
        if probe.family == socket.AF_INET:
            return "%s:%d" % address
        text = os.fsdecode(address) if isinstance(address, bytes) else str(address)
        return text.replace("\0", "@") or "unix"


def _is_sqlite(number: int, target: str) -> bool:
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            return False
        if target.endswith(_ENDINGS_OF_SQLITE):
            return True
        return os.pread(number, len(SQLITE_MAGIC), 0) == SQLITE_MAGIC
    except OSError:
        return False  # not readable, so not an open database


def _threads() -> Dict[int, str]:
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    found: Dict[int, str] = {}
    for number in _numbers("/proc/self/task"):
        found[number] = names.get(number) or _comm(number)
    return found


def _comm(number: int) -> str:
    try:
        with open("/proc/self/task/%d/comm" % number, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return "unnamed"


def _descriptors() -> Dict[int, str]:
    found: Dict[int, str] = {}
    for number in _numbers("/proc/self/fd"):
        try:
            found[number] = os.readlink("/proc/self/fd/%d" % number)
        except OSError:
            continue  # the listing's own, closed by now
    return found


def _numbers(folder: str) -> Tuple[int, ...]:
    return tuple(int(name) for name in os.listdir(folder))
