"""Descriptors of a loaded app that its forked copies would share.

Runs in: app spawners.
"""

from __future__ import annotations

import os
import socket
import stat
from typing import Dict, List, Mapping, Optional, Tuple

from passtwist.model import UNSAFE, WARNING, Finding
from passtwist.spawnserver import audit_objects
from passtwist.spawnserver.audit_hints import REACTOR, hint
from passtwist.spawnserver.audit_sources import Sources, numbers
from passtwist.spawnserver.places import NOWHERE, Place

SQLITE_MAGIC = b"SQLite format 3\0"
_ENDINGS_OF_SQLITE = ("-wal", "-shm", "-journal")
_LOOPS = {"anon_inode:[eventpoll]": "epoll", "anon_inode:[io_uring]": "io_uring"}
# Each wakes somebody up; all workers would take each other's.
_SIGNALS = {
    "anon_inode:[eventfd]": "eventfd",
    "anon_inode:[timerfd]": "timerfd",
    "anon_inode:[signalfd]": "signalfd",
    "anon_inode:inotify": "inotify",
}
FD = "/proc/self/fd"


def look() -> Dict[int, str]:
    """Descriptor to what it refers to."""
    found: Dict[int, str] = {}
    for number in numbers(FD):
        try:
            found[number] = os.readlink("%s/%d" % (FD, number))
        except OSError:
            continue  # the listing's own, closed by now
    return found


def find(opened: Mapping[int, str], sources: Sources) -> List[Finding]:
    """Findings about the descriptors that the app has *opened*."""
    loops: Dict[int, int] = {}  # descriptors of loops' own sockets, to their epoll
    if any(target in _LOOPS for target in opened.values()):
        loops = audit_objects.sockets_of_loops()
    found: List[Optional[Finding]] = []
    for number, target in sorted(opened.items()):
        if target in _LOOPS:
            own = [one for one, loop in loops.items() if loop == number]
            found.append(_loop(number, _LOOPS[target], own, sources))
        elif target in _SIGNALS:
            found.append(_signal(_SIGNALS[target]))
        elif target.startswith("socket:"):
            if number not in loops:
                found.append(_socket(number, sources))
        elif target.startswith("/"):
            found.append(_file(number, target, sources))
    return [each for each in found if each is not None]


def _loop(number: int, kind: str, own: List[int], sources: Sources) -> Finding:
    place = _place_of_loop(number, own, sources)
    return Finding(
        "loop:" + kind,
        "an event loop is open (%s); workers would share it" % kind,
        place=place.text,
        hint=hint("loop", place.modules),
    )


def _place_of_loop(number: int, own: List[int], sources: Sources) -> Place:
    """No audit event tells of an epoll descriptor; look at what belongs to it."""
    for one in own:
        return sources.of_socket(one)
    text = audit_objects.owner(number)
    if text:
        return Place(text)
    reactor = sources.of_module(REACTOR)
    return Place(reactor.text, (REACTOR,)) if reactor.text else NOWHERE


def _signal(kind: str) -> Finding:
    return Finding(
        "descriptor:" + kind,
        "a descriptor of kind %s is open; each wake-up would reach one of the "
        "workers" % kind,
        WARNING,
        hint=hint("descriptor", ()),
    )


def _socket(number: int, sources: Sources) -> Optional[Finding]:
    peer = _peer(number)
    if peer is None:
        return None
    place = sources.of_socket(number)
    text = place.text or audit_objects.owner(number)
    return Finding(
        "socket:" + peer,
        "a connection to %s is open; workers would mix on it" % peer,
        place=text,
        hint=hint("socket", place.modules),
    )


def _peer(number: int) -> Optional[str]:
    """Whom the socket is connected to, or None for nobody.

    Datagrams are left out: each stands for itself, so sharing does no harm.
    """
    try:
        probe = socket.socket(fileno=os.dup(number))
    except OSError:
        return None
    with probe:
        if probe.type not in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
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


def _file(number: int, target: str, sources: Sources) -> Optional[Finding]:
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            return None
        is_sqlite = _is_sqlite(number, target)
        flags, is_locked = _state(number)
    except OSError:
        return None  # closed meanwhile
    place = sources.of_file(target)
    where = place.text or audit_objects.owner(number)
    if is_sqlite:
        text = "SQLite database %s is open; used after a fork it can be corrupted"
        kind, level = "sqlite", UNSAFE
    elif flags & os.O_ACCMODE == os.O_RDONLY or target.startswith("/memfd:"):
        return None
    elif is_locked:
        text = "file %s is open and locked; workers would believe to have the lock"
        kind, level = "lock", UNSAFE
    elif flags & os.O_ACCMODE == os.O_RDWR and not flags & os.O_APPEND:
        if target.startswith("/dev/shm/"):
            return None  # there to be shared
        text = "file %s is open for reading and writing; workers would share the place"
        kind, level = "file", WARNING
    else:
        return None
    return Finding(
        "%s:%s" % (kind, target), text % target, level, where, hint(kind, place.modules)
    )


def _is_sqlite(number: int, target: str) -> bool:
    if target.endswith(_ENDINGS_OF_SQLITE):
        return True
    try:
        return os.pread(number, len(SQLITE_MAGIC), 0) == SQLITE_MAGIC
    except OSError:
        return False  # not readable, so not an open database


def _state(number: int) -> Tuple[int, bool]:
    """Flags it was opened with, and whether a lock is held on it."""
    flags, is_locked = 0, False
    with open("/proc/self/fdinfo/%d" % number, encoding="ascii") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name == "flags":
                flags = int(value, 8)
            elif name == "lock":
                is_locked = True
    return flags, is_locked
