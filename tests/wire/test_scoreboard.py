"""The layout of the scoreboard's page."""

from __future__ import annotations

import pytest

from passtwist.wire.scoreboard import (
    NUMBER,
    PAGE_SIZE,
    REQUESTS,
    SLOTS,
    WORDS_PER_SLOT,
    slot_base,
    was_begun,
)


def test_slots_fill_the_page_and_do_not_overlap():
    """128 of 32 bytes."""
    words = [
        slot_base(slot) + word
        for slot in range(SLOTS)
        for word in range(WORDS_PER_SLOT)
    ]
    assert words == list(range(PAGE_SIZE // 8))
    assert NUMBER < REQUESTS < WORDS_PER_SLOT


@pytest.mark.parametrize("slot", [-1, SLOTS, 10**9])
def test_there_are_no_other_slots(slot):
    """A negative one would reach another's words from behind."""
    with pytest.raises(IndexError, match="a page has 128"):
        slot_base(slot)


def test_a_request_was_begun_when_its_number_is_in_its_slot():
    """After a crash, this decides whether it may be run again."""
    page = memoryview(bytearray(PAGE_SIZE)).cast("Q")
    page[slot_base(3) + NUMBER] = 2**64 - 1
    begun = [was_begun(page, slot, 2**64 - 1) for slot in (2, 3, 4)]
    assert begun == [False, True, False]
    assert not was_begun(page, 3, 5)
