"""Make a forked process draw other random numbers than its siblings.

Runs in: app spawners that are forked, and workers that are forked.

What asks the kernel is right by itself: `secrets`, `os.urandom`, `uuid.uuid4`,
and TLS since OpenSSL 1.1.1.  Only modules that are loaded are looked at: one
that is loaded later begins anew in each process.
"""

from __future__ import annotations

import random
import sys
from types import ModuleType
from typing import Optional


def prepare() -> None:
    """Do before the fork what need not be done after each."""
    _part(sys.modules.get("uuid"))


def reseed() -> None:
    """Seed `random`, numpy's global state, and what `uuid` counts by."""
    # CPython does so after a fork by itself, unless the app has replaced it.
    random.seed()
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    _part(sys.modules.get("uuid"))


def _part(uuid: Optional[ModuleType]) -> None:
    """Let `uuid.uuid1` and its kin never give what another process gives.

    libuuid, which uuid1 uses, goes on in each process with the sequence number
    that it had before the fork: two that ask in the same 100 ns get the same
    UUID, one in a hundred when four workers do nothing else.  Python's own way,
    of systems without libuuid, draws a sequence number for each.
    """
    generate = getattr(uuid, "_generate_time_safe", None)
    if uuid is None:
        return
    # By default of uuidd, a daemon that counts for the whole machine.
    if generate is not None and generate()[1] != 0:
        # Python's own way would start a program to learn of the address.
        uuid.getnode()
        uuid._generate_time_safe = None  # type: ignore[attr-defined]  # private, in all versions
    for name in ("_last_timestamp", "_last_timestamp_v6", "_last_timestamp_v7"):
        if hasattr(uuid, name):
            setattr(uuid, name, None)
