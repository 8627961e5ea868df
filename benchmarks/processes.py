"""Processes of the servers under test, as /proc tells of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Each process of a server has it in its environment, also one that left the
# process tree of the command that started it, as Passenger's agents do.
MARK = "PASSTWIST_BENCHMARK"

TICK = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Memory:
    """Bytes."""

    pss: int
    uss: int
    rss: int

    def __add__(self, other: Memory) -> Memory:
        return Memory(self.pss + other.pss, self.uss + other.uss, self.rss + other.rss)


NOTHING = Memory(0, 0, 0)


def alive(pid: int) -> bool:
    """There is such a process, and it is no zombie."""
    fields = _stat(pid)
    return bool(fields) and fields[0] not in "ZX"


def started(pid: int) -> int:
    """When it was, in clock ticks since boot; tells it from a later one; -1: gone."""
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] not in "ZX" else -1


def marked(mark: str, root: int) -> list[int]:
    """*root*, everything below it, and everything with that mark, sorted."""
    parents: dict[int, int] = {}
    found = {root}
    text = f"{MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        fields = _stat(pid)
        if fields and fields[0] not in "ZX":
            parents[pid] = int(fields[1])
            if text in _environment(entry):
                found.add(pid)
    grown = True
    while grown:
        below = {pid for pid, parent in parents.items() if parent in found}
        grown = not below <= found
        found |= below
    return sorted(pid for pid in found if pid in parents)


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time so far, with that of children that were waited for.

    A worker that is replaced meanwhile so stays in the sum.
    """
    ticks = 0
    for pid in pids:
        fields = _stat(pid)
        if fields:
            ticks += sum(map(int, fields[11:15]))
    return ticks * TICK


def memory(pid: int) -> Memory:
    """From smaps_rollup; nothing for a process that has gone.

    :raises PermissionError: another user's, and we may not trace it: that is no
        figure, and nought would be a wrong one.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except PermissionError:
        raise
    except (OSError, IndexError):
        return NOTHING
    sizes: dict[str, int] = {}
    for line in lines:
        key, _, rest = line.partition(":")
        sizes[key] = int(rest.split()[0]) * 1024
    uss = sizes["Private_Clean"] + sizes["Private_Dirty"]
    return Memory(sizes["Pss"], uss, sizes["Rss"])


def memory_of(pids: Iterable[int]) -> Memory:
    """All of them together."""
    total = NOTHING
    for pid in pids:
        total += memory(pid)
    return total


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third, the state, on; none if gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        # Gone, or hidden from us.
        return []
    return text.rpartition(")")[2].split()


def _environment(entry: Path) -> list[bytes]:
    try:
        return (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        # Gone, or another user's.
        return []
