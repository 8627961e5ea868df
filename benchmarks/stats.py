"""Medians, spreads and ratios of what was sampled in interleaved rounds.

A ratio reads "times as good": 2 is twice the requests a second, or half the
time or memory.  It is taken within a round, between two servers that had their
turns seconds apart; then comes the median of these ratios.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.measures.base import Measure
    from benchmarks.results import Absence, Column, Results

OURS = "passtwist"
PASSENGER = "passenger builtin"
# What people get who set nothing: auto is smart where the app stands it.
HEADLINE = "passtwist smart"

# Rounds of one server on a quiet machine lie within a tenth of each other.  The
# differences that we steer by are of a quarter and more: where the rounds of one
# server differ by that much, its table can't show them.
TOO_WIDE = 0.25

# The share of rows whose spread says how far a run can be trusted: a single bad
# moment hits one row and should not condemn the others.
MOST = 0.9

Rounds = dict[int, dict[str, float]]


@dataclass(frozen=True)
class Figure:
    """What several rounds say of one thing.

    :ivar rounds: how many of them.
    """

    median: float
    low: float
    high: float
    rounds: int

    @property
    def spread(self) -> float | None:
        """(high - low) / median; nothing to be told by one round."""
        if self.rounds < 2 or not self.median:
            return None
        return (self.high - self.low) / self.median


@dataclass(frozen=True)
class Comparison:
    """How many times as good as another server, round by round."""

    other: str
    times: Figure


@dataclass(frozen=True)
class Row:
    """One server in a table; figures and comparisons are by key of the column.

    :ivar noisy: its rounds differ too much.
    :ivar beside_each: in the first column, for each peer that the measure names.
    """

    server: str
    figures: dict[str, Figure]
    noisy: bool = False
    beside_passenger: dict[str, Comparison] = field(default_factory=dict)
    beside_best_peer: dict[str, Comparison] = field(default_factory=dict)
    beside_each: tuple[Comparison, ...] = ()


@dataclass(frozen=True)
class Table:
    """One case of one measure, the best row first."""

    measure: Measure
    case: str
    title: str
    rows: list[Row]
    absences: list[Absence]

    def row(self, server: str) -> Row | None:
        """That server's."""
        return next((row for row in self.rows if row.server == server), None)

    def first(self, servers: Iterable[str]) -> Row | None:
        """The best row of these servers, if one has what the table ranks by."""
        wanted, key = set(servers), self.measure.columns[0].key
        return next(
            (row for row in self.rows if row.server in wanted and key in row.figures),
            None,
        )


def is_ours(server: str) -> bool:
    """It is passtwist, in whatever shape."""
    return server.split()[0] == OURS


def peers(results: Results) -> list[str]:
    """The other servers; bare system calls, which have no command, are none."""
    return [name for name in results.commands if not is_ours(name)]


def figure(values: Sequence[float]) -> Figure:
    """Of one round or more."""
    return Figure(median(values), min(values), max(values), len(values))


def times_as_good(column: Column, one: float, other: float) -> float | None:
    """How many times as good *one* is; nothing where a zero forbids to divide."""
    if column.better == "less":
        one, other = other, one
    return one / other if other else None


def tables(results: Results, measures: Iterable[Measure]) -> list[Table]:
    """Those that there are figures or absences for, in the order of the measures."""
    found = []
    for measure in measures:
        for case, title in _cases(results, measure).items():
            table = _table(results, measure, case, title)
            if table.rows or table.absences:
                found.append(table)
    return found


def _cases(results: Results, measure: Measure) -> dict[str, str]:
    """Title by name: those it declares, then what else was found.

    What is absent from all cases of a measure that has several is found under
    the empty name.
    """
    known = dict(measure.cases)
    found = [(one.measure, one.case) for one in results.samples]
    found += [(one.measure, one.case) for one in results.absences]
    for name, case in found:
        if name == measure.name:
            known.setdefault(case, case)
    return known


def noise(found: Iterable[Table]) -> float | None:
    """The spread that nine rows of ten keep below; only steady columns count.

    Nothing when no such column had two rounds.
    """
    spreads = sorted(
        spread
        for table in found
        for row in table.rows
        for spread in _steady_spreads(table.measure.columns, row.figures)
    )
    if len(spreads) < 2:
        return spreads[0] if spreads else None
    return quantiles(spreads, n=10, method="inclusive")[round(MOST * 10) - 1]


def _table(results: Results, measure: Measure, case: str, title: str) -> Table:
    by_server: dict[str, Rounds] = defaultdict(dict)
    for sample in results.samples:
        if (sample.measure, sample.case) == (measure.name, case):
            by_server[sample.server][sample.round] = sample.values
    figures = {
        server: _figures(measure.columns, rounds)
        for server, rounds in by_server.items()
    }
    others = [name for name in peers(results) if name in by_server]
    rows = []
    for server, rounds in by_server.items():
        passenger: dict[str, Comparison] = {}
        best: dict[str, Comparison] = {}
        for column in measure.columns:
            if column.better:
                if PASSENGER in others:
                    _compare(passenger, column, rounds, PASSENGER, by_server)
                name = _best(column, others, figures)
                if name:
                    _compare(best, column, rounds, name, by_server)
        spreads = _steady_spreads(measure.columns, figures[server])
        first = figures[server].get(measure.columns[0].key)
        if first is not None and first.spread is not None:
            # The column that ranks, and that ± is of.
            spreads = [*spreads, first.spread]
        noisy = any(spread > TOO_WIDE for spread in spreads)
        each = _beside_each(measure, rounds, by_server) if is_ours(server) else ()
        rows.append(Row(server, figures[server], noisy, passenger, best, each))
    absences = [
        each
        for each in results.absences
        if (each.measure, each.case) == (measure.name, case)
    ]
    return Table(measure, case, title, _ranked(measure.columns[0], rows), absences)


def _figures(columns: Iterable[Column], rounds: Rounds) -> dict[str, Figure]:
    found = {}
    for column in columns:
        values = [
            values[column.key]
            for _, values in sorted(rounds.items())
            if math.isfinite(values.get(column.key, math.nan))
        ]
        if values:
            found[column.key] = figure(values)
    return found


def _best(
    column: Column, names: Iterable[str], figures: Mapping[str, dict[str, Figure]]
) -> str:
    """Whose median is best; empty if nobody has one.

    Not the best of each round: the best of many noisy figures is too good.
    """
    medians = {
        name: figures[name][column.key].median
        for name in names
        if column.key in figures[name]
    }
    best = max if column.better == "more" else min
    return best(medians, key=lambda name: medians[name], default="")


def _compare(
    into: dict[str, Comparison],
    column: Column,
    rounds: Rounds,
    other: str,
    by_server: Mapping[str, Rounds],
) -> None:
    """Keep the comparison, if there is a round that both have."""
    found = _comparison(column, rounds, other, by_server)
    if found:
        into[column.key] = found


def _beside_each(
    measure: Measure, rounds: Rounds, by_server: Mapping[str, Rounds]
) -> tuple[Comparison, ...]:
    column = measure.columns[0]
    found = (
        _comparison(column, rounds, name, by_server)
        for name in measure.beside
        if name in by_server
    )
    return tuple(one for one in found if one)


def _comparison(
    column: Column, rounds: Rounds, other: str, by_server: Mapping[str, Rounds]
) -> Comparison | None:
    ratios = []
    for number, values in sorted(rounds.items()):
        theirs = by_server[other].get(number, {})
        if column.key in values and column.key in theirs:
            ratio = times_as_good(column, values[column.key], theirs[column.key])
            if ratio is not None and math.isfinite(ratio):
                ratios.append(ratio)
    return Comparison(other, figure(ratios)) if ratios else None


def _steady_spreads(
    columns: Iterable[Column], figures: Mapping[str, Figure]
) -> list[float]:
    spreads = [
        figures[column.key].spread
        for column in columns
        if column.steady and column.key in figures
    ]
    return [spread for spread in spreads if spread is not None]


def _ranked(column: Column, rows: list[Row]) -> list[Row]:
    sign = -1.0 if column.better == "more" else 1.0

    def rank(row: Row) -> tuple[float, str]:
        found = row.figures.get(column.key)
        return (sign * found.median if found else math.inf, row.server)

    return sorted(rows, key=rank)
