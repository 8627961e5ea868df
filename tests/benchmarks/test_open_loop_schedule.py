"""The schedule of the load generator is fixed by its seed; percentiles are right."""

from __future__ import annotations

from collections import Counter
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load.open_loop_outcome import Spread, Tally, percentile, spread
from benchmarks.load.open_loop_schedule import (
    Kind,
    intended_times,
    kinds_in_turn,
    schedule,
)

FAST, SLOW = Kind("fast", "/", 9), Kind("slow", "/sleep?100", 1)
SEEDS = st.integers(0, 2**32)


def test_at_a_constant_rate_requests_are_due_at_equal_distances():
    assert list(intended_times(4, 1.0, None)) == [0.0, 0.25, 0.5, 0.75]


@given(seed=SEEDS)
def test_a_seed_reproduces_a_schedule(seed):
    first = schedule([FAST, SLOW], 100, 1.0, seed)
    assert first == schedule([FAST, SLOW], 100, 1.0, seed)
    assert first != schedule([FAST, SLOW], 100, 1.0, seed + 1)


@given(seed=SEEDS)
def test_independent_arrivals_are_in_order_and_end_in_time(seed):
    times = list(intended_times(50, 2.0, seed))
    assert times[0] == 0.0
    assert all(a < b for a, b in pairwise(times))
    assert times[-1] < 2.0


def test_independent_arrivals_have_the_rate_in_the_long_run():
    """The seed is fixed; 20,000 arrivals have a standard deviation of 0.7 %."""
    assert len(list(intended_times(1000, 20.0, 7))) == pytest.approx(20_000, rel=0.03)


@given(seed=SEEDS, rounds=st.integers(1, 20))
def test_kinds_come_as_often_as_they_weigh(seed, rounds):
    dealt = islice(kinds_in_turn([FAST, SLOW], seed), 10 * rounds)
    assert Counter(dealt) == {0: 9 * rounds, 1: rounds}


@given(
    values=st.lists(st.floats(0, 1e6), min_size=1, max_size=300),
    per_mille=st.sampled_from([1, 500, 990, 999, 1000]),
)
def test_a_percentile_is_the_smallest_value_that_is_not_exceeded_too_often(
    values, per_mille
):
    ordered = sorted(values)
    found = percentile(ordered, per_mille)
    enough = [
        one
        for one in ordered
        if sum(other <= one for other in ordered) * 1000 >= per_mille * len(ordered)
    ]
    assert found == enough[0]


def test_a_spread_is_in_milliseconds():
    assert spread([number / 1000 for number in range(1, 1001)]) == Spread(
        p50=500.0, p99=990.0, p999=999.0, max=1000.0
    )


def test_of_nothing_the_spread_is_zero():
    assert spread([]) == Spread(0.0, 0.0, 0.0, 0.0)


def test_a_request_with_an_error_counts_with_the_time_limit():
    """Who refuses at once is not fast."""
    tally = Tally(latencies=[0.001] * 98, services=[0.001] * 98)
    tally.reasons.update(["status 503", "status 503"])
    found = tally.total(limit=5.0)
    assert (found.count, found.answered, found.errors) == (100, 98, 2)
    assert found.reasons == {"status 503": 2}
    assert found.latency == Spread(p50=1.0, p99=5000.0, p999=5000.0, max=5000.0)
    assert found.service == Spread(p50=1.0, p99=1.0, p999=1.0, max=1.0)
