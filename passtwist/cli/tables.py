"""Tables for people.

Runs in: the command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = ""
) -> None:
    """Print *rows* below *columns*, fitted to the terminal."""
    # Half of the command's start-up time, and only tables need it.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Texts, not markup: a path may hold "[red]".
    table = Table(title=Text(title) if title else None, title_justify="left", box=None)
    for column in columns:
        table.add_column(Text(column.upper()), overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(markup=False, highlight=False).print(table)
