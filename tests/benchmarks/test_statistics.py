"""What is made of the samples."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import stats
from benchmarks.results import Column
from benchmarks.stats import Comparison, Figure
from tests.benchmarks.made_up import SPEED, results, sample, usual

ROUNDING = 1e-9


def rows_of(found):
    """Of the only table."""
    (table,) = stats.tables(found, [SPEED])
    return {row.server: row for row in table.rows}


def nearly(figure):
    """The figure, but for rounding."""
    return pytest.approx(
        (figure.median, figure.low, figure.high, figure.rounds), rel=ROUNDING
    )


def told(figure):
    """As a tuple."""
    return (figure.median, figure.low, figure.high, figure.rounds)


@given(st.lists(st.floats(0, 1e9), min_size=1))
def test_a_median_lies_between_the_lowest_and_the_highest(values):
    """Of however many rounds."""
    found = stats.figure(values)
    assert found.low <= found.median <= found.high
    assert {found.low, found.high} <= set(values)
    assert found.rounds == len(values)


def test_the_spread_is_what_lies_between_lowest_and_highest_in_medians():
    """One round has none, and around zero there is none."""
    assert Figure(100.0, 90.0, 120.0, 3).spread == 0.3
    assert Figure(100.0, 100.0, 100.0, 1).spread is None
    assert Figure(0.0, 0.0, 2.0, 3).spread is None


@given(st.sampled_from(["more", "less"]), st.floats(1e-3, 1e6), st.floats(1e-3, 1e6))
def test_more_times_as_good_is_better_in_both_directions(better, one, other):
    """And the other way round it is the reciprocal."""
    column = Column("key", "Title", "", better=better)
    times = stats.times_as_good(column, one, other)
    assert (times > 1) == (one / other > 1 if better == "more" else other / one > 1)
    assert times * stats.times_as_good(column, other, one) == pytest.approx(1)


def test_there_is_no_ratio_to_zero():
    """Neither to no requests a second, nor of no time at all."""
    assert stats.times_as_good(Column("k", "T", "", better="more"), 5.0, 0.0) is None
    assert stats.times_as_good(Column("k", "T", "", better="less"), 0.0, 5.0) is None


def test_servers_are_ranked_by_the_first_column():
    """The best one first; one that has no such figure last."""
    found = usual()
    found.samples.append(sample("waitress", 0, math.nan))
    (table,) = stats.tables(found, [SPEED])
    assert [row.server for row in table.rows] == [
        "uwsgi",
        "passtwist smart",
        "passenger builtin",
        "waitress",
    ]
    assert "rate" not in table.rows[-1].figures
    assert table.first(["waitress", "passenger builtin"]).server == "passenger builtin"
    assert table.first(["waitress"]) is None


def test_ratios_are_taken_within_a_round():
    """A round that was bad for both leaves no trace in them."""
    row = rows_of(
        results(
            *(sample("passtwist smart", turn, 2 * rate) for turn, rate in ROUNDS),
            *(sample("passenger builtin", turn, rate) for turn, rate in ROUNDS),
        )
    )["passtwist smart"]
    assert row.figures["rate"] == Figure(200.0, 20.0, 300.0, 3)
    assert row.noisy
    alike = Comparison("passenger builtin", Figure(2.0, 2.0, 2.0, 3))
    assert row.beside_passenger["rate"] == alike
    assert row.beside_best_peer["rate"] == alike


ROUNDS = ((0, 100.0), (1, 10.0), (2, 150.0))


def test_rounds_are_matched_by_their_number():
    """Where a server failed in the second round, that round has no ratio."""
    row = rows_of(
        results(
            *(sample("passtwist smart", turn, 300.0 * (turn + 1)) for turn in (0, 2)),
            *(sample("passenger builtin", turn, 100.0) for turn in (0, 1, 2)),
            *(sample("uwsgi", turn, 900.0) for turn in (1, 2)),
        )
    )["passtwist smart"]
    assert row.beside_passenger["rate"].times == Figure(6.0, 3.0, 9.0, 2)
    assert row.beside_best_peer["rate"] == Comparison("uwsgi", Figure(1, 1, 1, 1))


def test_the_best_peer_is_the_one_with_the_best_median_of_each_column():
    """Not the one that was lucky once; and none of ours."""
    row = rows_of(
        results(
            *(sample("passtwist smart", turn, 100.0, 1.0) for turn in range(3)),
            *(sample("passtwist smart-lv2", turn, 999.0, 0.1) for turn in range(3)),
            *(sample("uwsgi", turn, 200.0, 8.0) for turn in range(3)),
            *(
                sample("waitress", turn, rate, 4.0)
                for turn, rate in enumerate((100.0, 100.0, 900.0))
            ),
        )
    )["passtwist smart"]
    assert {key: one.other for key, one in row.beside_best_peer.items()} == {
        "rate": "uwsgi",
        "wait": "waitress",
    }
    assert told(row.beside_best_peer["wait"].times) == nearly(Figure(4, 4, 4, 3))
    assert row.beside_passenger == {}


def test_what_has_no_command_is_no_peer():
    """A bare fork stands in the table, and nobody competes with it."""
    rows = rows_of(
        results(
            sample("passtwist smart", 0, 100.0),
            sample("os.fork", 0, 10000.0),
            sample("uwsgi", 0, 50.0),
            without_command=["os.fork"],
        )
    )
    assert list(rows) == ["os.fork", "passtwist smart", "uwsgi"]
    assert rows["passtwist smart"].beside_best_peer["rate"].other == "uwsgi"


def test_figures_that_are_no_numbers_are_left_out():
    """A server that answered nothing has no latency."""
    row = rows_of(
        results(sample("uwsgi", 0, math.inf), sample("uwsgi", 1, 5.0, math.nan))
    )["uwsgi"]
    assert row.figures["rate"] == Figure(5.0, 5.0, 5.0, 1)
    assert row.figures["wait"] == Figure(1.0, 1.0, 1.0, 1)


def test_tables_stand_in_the_order_of_the_cases():
    """Those without figures are left out; absences make one, too."""
    found = results(
        sample("uwsgi", 0, 1.0, case="unheard of"),
        sample("uwsgi", 0, 1.0, case="long"),
        absences=[("", "granian", "missing", "pip install granian")],
    )
    tables = stats.tables(found, [SPEED])
    assert [(one.case, one.title) for one in tables] == [
        ("long", "Long way"),
        ("unheard of", "unheard of"),
        ("", ""),
    ]
    assert tables[-1].absences == found.absences


def test_the_noise_of_a_run_is_the_spread_that_nine_rows_of_ten_keep_below():
    """Of steady columns only; one bad row does not condemn the run."""
    quiet = [
        sample(f"server {number}", turn, 100.0 + 5 * turn, wait=10.0**turn)
        for number in range(20)
        for turn in (0, 1)
    ]
    bad = [sample("unlucky", 0, 10.0), sample("unlucky", 1, 100.0)]
    tables = stats.tables(results(*quiet, *bad), [SPEED])
    assert stats.noise(tables) == pytest.approx(5 / 102.5)
    noisy = [row.server for table in tables for row in table.rows if row.noisy]
    assert noisy == ["unlucky"]


def test_one_round_tells_nothing_of_the_noise():
    """So nothing is said."""
    assert stats.noise(stats.tables(results(sample("uwsgi", 0, 1.0)), [SPEED])) is None
