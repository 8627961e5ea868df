"""Paces: who drips is too slow, who is honest is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from passtwist.http.deadlines import NEVER
from passtwist.http.pace import Pace


def test_nobody_may_be_silent_longer_than_a_pause():
    """However much came before."""
    pace = Pace(rate=0, grace=0, patience=60, now=100)
    assert pace.due == 160
    pace.progressed(10**9, 150)
    assert pace.due == 210


def test_who_drips_is_too_slow_when_the_grace_is_over():
    """A byte buys two milliseconds at 512 bytes a second."""
    pace = Pace(rate=512, grace=20, patience=60, now=100)
    assert pace.due == 120
    for second in range(101, 119):
        pace.progressed(1, second)
    assert pace.due == 120 + 18 / 512


def test_who_sent_much_at_first_has_no_more_than_a_pause_saved():
    """Else a megabyte would buy half an hour of dripping."""
    pace = Pace(rate=512, grace=20, patience=60, now=100)
    pace.progressed(1_000_000, 101)
    assert pace.due == 161
    pace.progressed(1, 160)
    assert pace.due == 161 + 1 / 512


def test_a_grace_longer_than_a_pause_is_given():
    """As long as no pause is too long."""
    pace = Pace(rate=512, grace=120, patience=60, now=0)
    dues = []
    for now in (50, 100, 119):
        pace.progressed(1, now)
        dues.append(pace.due)
    assert dues == [110, 120 + 2 / 512, 120 + 3 / 512]


def test_nothing_is_no_progress():
    """A look at which nothing had come changes nothing."""
    pace = Pace(rate=512, grace=20, patience=60, now=0)
    pace.progressed(0, 10)
    assert pace.due == 20


def test_time_that_nobody_saw_pass_does_not_count():
    """The machine slept."""
    pace = Pace(rate=512, grace=20, patience=60, now=0)
    pace.postpone(3600)
    assert pace.due == 3620
    pace.progressed(512, 3610)
    assert pace.due == 3621


@given(
    rate=st.integers(1, 10_000),
    grace=st.integers(0, 100),
    patience=st.integers(1, 100),
    steps=st.lists(st.tuples(st.integers(0, 10_000), st.floats(0, 50)), max_size=30),
)
def test_nobody_lasts_longer_than_the_grace_and_the_bytes_allow(
    rate, grace, patience, steps
):
    """Whatever comes whenever: the bound is that of the whole and that of a pause."""
    pace, now, total = Pace(rate, grace, patience, 0), 0.0, 0
    for count, seconds in steps:
        now += seconds
        if pace.due <= now:
            break
        pace.progressed(count, now)
        total += count
        assert pace.due <= grace + total / rate + 1e-6
        assert pace.due <= now + patience
    assert pace.due < NEVER
