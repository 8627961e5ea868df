"""How many descriptors the controller may have; its children have what they had.

Runs in: the controller.

Most systems give a process 1024 descriptors and let it ask for more, because a program
that uses select(2) breaks with more.  A server of clients needs more, and apps may well
be such programs: so the spawn manager, and with it all below, gets the old limit back.
"""

from __future__ import annotations

import resource

# Of the process as it was started; one process has one.
_inherited: tuple[int, int] | None = None


def raise_limit() -> int:
    """Ask for as many as there may be; answers how many that are."""
    global _inherited
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        _inherited = _inherited or (soft, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def restore_limit(pid: int) -> None:
    """Give a child of ours the limit that we were started with."""
    if _inherited is None:
        return
    try:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, _inherited)
    except OSError:
        pass  # it is dead already
