"""Tables as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """All columns to the right but the first."""
    lines = [tuple(heads), *(tuple(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def milliseconds(seconds: float) -> str:
    """With as many digits as mean something here."""
    return f"{seconds * 1e3:,.1f}"


def times(value: float, of: float) -> str:
    """How many times as much, or a dash where nothing can be divided."""
    return f"{value / of:.1f}x" if of else "-"
