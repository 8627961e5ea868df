"""The scoreboard: one page of shared memory per worker, one slot per connection.

Runs in: the worker (writes) and the controller (reads).

A slot is four unsigned 64-bit words.  The worker writes the request's number
*before* it calls the app, so after a crash the page tells whether the app was
called; writing costs no system call.  Only aligned words are written, through
`memoryview.cast("Q")`, so a reader never sees half a value.
"""

from __future__ import annotations

PAGE_SIZE = 4096
WORDS_PER_SLOT = 4
SLOTS = PAGE_SIZE // (8 * WORDS_PER_SLOT)

# Words of a slot.
NUMBER = 0  # the last request begun here; 0 for none yet
STATE = 1  # one of the states below
STARTED_NS = 2  # CLOCK_MONOTONIC at which it was begun
REQUESTS = 3  # how many this slot has finished

# Values of STATE.
UNUSED = 0
IDLE = 1
RUNNING = 2


def slot_base(slot: int) -> int:
    """Index of a slot's first word.

    :raises IndexError: no such slot; one page has `SLOTS` of them.
    """
    if not 0 <= slot < SLOTS:
        raise IndexError("scoreboard slot %d; a page has %d" % (slot, SLOTS))
    return slot * WORDS_PER_SLOT


def was_begun(words: memoryview, slot: int, number: int) -> bool:
    """True when the app was called for request *number* on *slot*."""
    return bool(words[slot_base(slot) + NUMBER] == number)


def began_at(words: memoryview, slot: int) -> float:
    """When the last request on *slot* was begun: seconds of CLOCK_MONOTONIC."""
    return words[slot_base(slot) + STARTED_NS] / 1e9
