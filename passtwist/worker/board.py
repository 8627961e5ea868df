"""Write this worker's scoreboard.

Runs in: workers.
"""

from __future__ import annotations

import mmap
import os

from passtwist.wire.scoreboard import PAGE_SIZE


def map_page(descriptor: int) -> memoryview:
    """The page behind *descriptor* as 64-bit words; the descriptor is closed.

    :raises OSError: no shared memory of one page.
    """
    try:
        page = mmap.mmap(descriptor, PAGE_SIZE, mmap.MAP_SHARED)
    finally:
        os.close(descriptor)
    return memoryview(page).cast("Q")
