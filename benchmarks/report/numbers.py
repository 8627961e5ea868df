"""How figures are written in tables: three digits that matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.results import Column
    from benchmarks.stats import Comparison, Figure, Row

NOTHING = "–"
ARROWS = {"more": " ↑", "less": " ↓", "": ""}


def number(value: float) -> str:
    """12,346 and 123 and 12.3 and 0.0123; whole numbers as such."""
    size = abs(value)
    if size >= 100 or value == round(value):
        return f"{value:,.0f}"
    places = 1 if size >= 10 else 2 if size >= 1 else 3 if size >= 0.1 else 4
    return f"{value:.{places}f}"


def percent(share: float | None) -> str:
    """0.123 is 12 %."""
    return NOTHING if share is None else f"{share * 100:.0f} %"


def times(figure: Figure | None) -> str:
    """A ratio, with its range when rounds differ."""
    if figure is None:
        return NOTHING
    if figure.rounds < 2:
        return f"{figure.median:.2f}"
    return f"{figure.median:.2f} ({figure.low:.2f}–{figure.high:.2f})"


def beside(comparison: Comparison | None) -> str:
    """A ratio and whom it is to."""
    if comparison is None:
        return NOTHING
    return f"{times(comparison.times)} of {comparison.other}"


def head(column: Column) -> str:
    """A column's title, its unit, and which way is better."""
    unit = column.unit if column.unit and column.unit not in column.title else ""
    return f"{column.title}{', ' if unit else ''}{unit}{ARROWS[column.better]}"


def cell(row: Row, column: Column) -> str:
    """A row's median."""
    found = row.figures.get(column.key)
    return number(found.median) if found else NOTHING


def with_unit(row: Row | None, column: Column) -> str:
    """A row's median, and of which server."""
    if row is None:
        return NOTHING
    return f"{cell(row, column)} {column.unit}".rstrip() + f" ({row.server})"


def table(heads: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a Markdown table: names on the left, figures on the right."""
    lines = [heads, ["---"] + ["--:"] * (len(heads) - 1), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
