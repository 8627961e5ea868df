"""Fill the holes between what is loaded, so that workers write elsewhere.

Runs in: app and framework spawners, once, before they fork.

What loading has freed lies between what it has left.  A worker would put what
its requests need into those holes, and copy a page for each.  With the holes
filled, it all goes to fresh memory, side by side.
"""

from __future__ import annotations

import sys
from typing import Any, List

# pymalloc: blocks of up to 512 bytes, in steps of 16, from pools of one size
# each, which begin with a header of 48 bytes.
STEP, LARGEST, HEADER = 16, 512, 48
POOL = 16 * 1024 if sys.version_info >= (3, 10) else 4 * 1024

# A bytes object has so many bytes beside its own.
_AROUND = sys.getsizeof(b"")

# Blocks one behind the other from the beginning of a pool: it was empty.
ENOUGH = 30
# Fillers of each size; another allocator may never give such a row.
MOST = 20_000

_fillers: List[Any] = []


def fill() -> int:
    """Take every free block of the object allocator and keep it.

    :returns: how many were taken.
    """
    before = len(_fillers)
    # Smaller ones are left: no object of such a size is as easy to make.
    for size in range(HEADER, LARGEST + 1, STEP):
        _fill(size)
    return len(_fillers) - before


def _fill(size: int) -> None:
    row, last = 0, 0
    wanted = min(ENOUGH, (POOL - HEADER) // size)
    for _ in range(MOST):
        filler = bytes(size - _AROUND)
        _fillers.append(filler)
        place = id(filler)
        if place % POOL == HEADER:
            row = 1
        elif row:
            row = row + 1 if place == last + size else 0
        last = place
        if row == wanted:
            return
