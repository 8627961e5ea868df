"""What /proc says of a process.

Runs in: tests.
"""

from __future__ import annotations


def parent_of(pid: int) -> int:
    """The pid of its parent.

    :raises FileNotFoundError: there is no such process.
    """
    return int(_stat(pid)[1])


def is_alive(pid: int) -> bool:
    """Whether it runs; one that only waits to be reaped does not."""
    try:
        return _stat(pid)[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _stat(pid: int) -> list[str]:
    """State, parent and so on: what follows its name, which may hold anything."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()
