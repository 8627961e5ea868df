"""Threads of a loaded app: a forked copy has only the one that forks.

Runs in: app spawners.
"""

from __future__ import annotations

import os
import threading
from typing import Dict, List, Optional

from passtwist.model import Finding
from passtwist.spawnserver.audit_hints import hint
from passtwist.spawnserver.audit_sources import TASKS, Sources, numbers
from passtwist.spawnserver.trial import try_fork


def look() -> Dict[int, str]:
    """Kernel's thread number to name."""
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    found: Dict[int, str] = {}
    for number in numbers(TASKS):
        found[number] = names.get(number) or _comm(number)
    return found


def find(
    before: Dict[int, str], now: Dict[int, str], sources: Sources
) -> List[Finding]:
    """The threads that are there *now* and were not *before*.

    If there are any a copy is forked and ended at once: libraries that know of
    forks (OpenBLAS, which numpy brings) end their threads by themselves before
    one, and start others after it.
    """
    if now.keys() <= before.keys():
        return []
    try_fork()
    left = look()
    own = {thread.native_id: thread for thread in threading.enumerate()}
    return [
        _finding(number, name, own.get(number), sources)
        for number, name in sorted(left.items())
        if number not in before
    ]


def _finding(
    number: int, name: str, thread: Optional[threading.Thread], sources: Sources
) -> Finding:
    if thread is None:
        place = sources.of_thread(number)
        if name == _comm(os.getpid()):
            name = "native"  # it has no name but that of this process
        text = "thread %r, of C code, runs; workers would not have it"
    else:
        place = sources.of_object(thread)
        text = "thread %r runs; workers would not have it"
    return Finding(
        "thread:" + name,
        text % name,
        place=place.text,
        hint=hint("thread", (type(thread).__module__, *place.modules)),
    )


def _comm(number: int) -> str:
    try:
        with open("%s/%d/comm" % (TASKS, number), encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return "unnamed"
