"""Processes that a loaded app has started.

Runs in: app spawners.

By itself a child does no harm to workers: they only can't wait for it.  One
that is spoken to through a pipe is no better than a shared connection.
"""

from __future__ import annotations

import os
import sys
from typing import FrozenSet, Iterable, List, Mapping

from passtwist.model import UNSAFE, WARNING, Finding
from passtwist.spawnserver.audit_hints import hint
from passtwist.spawnserver.audit_sources import Sources, children


def look() -> FrozenSet[int]:
    """The pids of the children."""
    return children()


def find(
    started: Iterable[int], opened: Mapping[int, str], sources: Sources
) -> List[Finding]:
    """Findings about the children that the app has *started*.

    :param opened: the descriptors that it has opened, to what they refer to.
    """
    ways = {
        target for target in opened.values() if target.startswith(("pipe:", "socket:"))
    }
    return [
        _finding(pid, ways, sources)
        for pid in sorted(started)
        if pid != _resource_tracker() and not _has_ended(pid)
    ]


def _resource_tracker() -> int:
    """The process of `multiprocessing` that is there to be shared; 0 for none."""
    module = sys.modules.get("multiprocessing.resource_tracker")
    tracker = getattr(module, "_resource_tracker", None)
    return getattr(tracker, "_pid", None) or 0


def _has_ended(pid: int) -> bool:
    """Whether it only has not been waited for."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except OSError:
        return True


def _finding(pid: int, ways: Iterable[str], sources: Sources) -> Finding:
    name = _name(pid)
    place = sources.of_process(pid)
    if _descriptors(pid).isdisjoint(ways):
        level, what = WARNING, "it is no child of the workers"
    else:
        level, what = UNSAFE, "workers would mix on its pipes"
    return Finding(
        "process:" + name,
        "process %r was started by the app and lives; %s" % (name, what),
        level,
        place.text,
        hint("process", place.modules),
    )


def _name(pid: int) -> str:
    try:
        program = os.readlink("/proc/%d/exe" % pid)
        if program != os.readlink("/proc/self/exe"):
            return os.path.basename(program)
    except OSError:
        pass  # it has ended, or changed its user
    name = _comm(pid)
    # A copy of this process has no name but ours.
    return "forked" if name == _comm(os.getpid()) else name


def _comm(pid: int) -> str:
    try:
        with open("/proc/%d/comm" % pid, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return "unnamed"


def _descriptors(pid: int) -> FrozenSet[str]:
    """What another process has open; nothing when it may not be known."""
    folder = "/proc/%d/fd" % pid
    found = []
    try:
        for name in os.listdir(folder):
            try:
                found.append(os.readlink(folder + "/" + name))
            except FileNotFoundError:
                pass  # closed by now: it goes on while we look
    except OSError:
        pass  # it has ended, or changed its user
    return frozenset(found)
