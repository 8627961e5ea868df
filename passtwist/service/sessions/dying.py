"""Whether a process is on its way out, asked when it has closed a connection.

Runs in: the controller.
"""

from __future__ import annotations

# The kernel's PF_EXITING: set before it closes the descriptors of a process, so
# whoever sees their end sees this, too.
_EXITING = 0x4
_FLAGS = 6  # of the fields behind the name in parentheses: see proc_pid_stat(5)


def is_dying(pid: int) -> bool:
    """Whether *pid*, a child of ours that is not reaped, runs no code any more."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return True
    return bool(int(fields[_FLAGS]) & _EXITING)
