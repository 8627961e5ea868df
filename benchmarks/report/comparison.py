"""Two runs beside one another: by ratios to Passenger, which machines share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import stats
from benchmarks.report.numbers import cell, head, table, times

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.measures.base import Measure
    from benchmarks.results import Column, Results
    from benchmarks.stats import Figure, Row, Table


def comparison(old: Results, new: Results, measures: Sequence[Measure]) -> str:
    """Markdown: what became of passtwist's ratios between the two.

    Figures of two machines do not stand side by side; ratios do.
    """
    differing = [
        key
        for key in sorted({*old.machine, *new.machine})
        if old.machine.get(key) != new.machine.get(key)
    ]
    before = {(one.measure.name, one.case): one for one in stats.tables(old, measures)}
    rows = [
        row
        for one in stats.tables(new, measures)
        if (one.measure.name, one.case) in before
        for row in _rows(before[one.measure.name, one.case], one, not differing)
    ]
    lines = ["# Two runs", "", f"From {described(old)} to {described(new)}.", ""]
    if differing:
        lines += [
            f"The machines differ ({', '.join(differing)}): only ratios are compared.",
            "",
        ]
    if not rows:
        return "\n".join([*lines, "They have nothing in common to compare.", ""])
    heads = ["", "Server", "Figure", "Times Passenger, before", "now", "Change"]
    if not differing:
        heads += ["Figure, before", "now"]
    lines += [
        "The change is marked * where the ranges of the two do not overlap.",
        "",
        *table(heads, rows),
        "",
    ]
    return "\n".join(lines)


def described(results: Results) -> str:
    """Which run that is."""
    return f"{results.date or 'an undated'} {'quick' if results.quick else 'full'} run"


def change(old: Figure, new: Figure) -> str:
    """In percent, more is better; with a star if it is more than noise.

    One round alone does not tell what is noise.
    """
    told = old.spread is not None and new.spread is not None
    apart = told and (new.low > old.high or new.high < old.low)
    share = new.median / old.median - 1 if old.median else 0.0
    return f"{share * 100:+.0f} %{' *' if apart else ''}"


def _rows(old: Table, new: Table, same_machine: bool) -> Iterable[list[str]]:
    name = f"{new.measure.title}{': ' if new.title else ''}{new.title}"
    for row in new.rows:
        earlier = old.row(row.server)
        if earlier is not None and stats.is_ours(row.server):
            for column in new.measure.columns:
                line = _line(earlier, row, column, same_machine)
                if column.better and line:
                    yield [name, row.server, head(column), *line]


def _line(old: Row, new: Row, column: Column, same_machine: bool) -> list[str]:
    """Nothing if there is nothing to say."""
    before = old.beside_passenger.get(column.key)
    now = new.beside_passenger.get(column.key)
    both = before is not None and now is not None
    absolute = [cell(old, column), cell(new, column)] if same_machine else []
    if not both and not (same_machine and column.key in old.figures):
        return []
    return [
        times(before.times if before else None),
        times(now.times if now else None),
        change(before.times, now.times) if before and now else "",
        *absolute,
    ]
