"""What the cookie holds."""

from __future__ import annotations

import re

import pytest
from passtwist_sticky.marks import Marks

KEY = bytes(range(32))


@pytest.mark.parametrize("worker", [1, 255, 256, 10**6, 2**63])
def test_a_mark_leads_back_to_its_worker(worker):
    """Of its app, and of no other."""
    marks = Marks(KEY)
    mark = marks.make("shop", worker)
    assert re.fullmatch(b"[0-9a-f]{48}", mark)
    assert marks.read("shop", mark) == worker
    assert marks.read("blog", mark) == 0
    assert marks.make("shop", worker) == mark


def test_marks_of_another_server_mean_nothing():
    """The key is the server's."""
    assert Marks(bytes(32)).read("shop", Marks(KEY).make("shop", 3)) == 0


def test_a_mark_with_any_digit_changed_is_none():
    """Nobody can change the worker, nor the signature."""
    marks = Marks(KEY)
    mark = marks.make("shop", 3)
    for place in range(len(mark)):
        digit = b"0" if mark[place : place + 1] != b"0" else b"1"
        changed = mark[:place] + digit + mark[place + 1 :]
        assert marks.read("shop", changed) == 0


@pytest.mark.parametrize(
    "mark", [b"", b"3", b"x" * 48, b"0" * 47, b"0" * 49, b"0 " * 24, b"\xff" * 48]
)
def test_what_no_server_wrote_is_no_mark(mark):
    """Whatever it is; and it raises nothing."""
    assert Marks(KEY).read("shop", mark) == 0


def test_marks_of_workers_in_a_row_have_nothing_in_common():
    """Not even the part that holds the number."""
    made = [Marks(KEY).make("shop", worker) for worker in range(1, 101)]
    assert len({mark[-8:] for mark in made}) == 100
    assert len({mark[:8] for mark in made}) == 100
