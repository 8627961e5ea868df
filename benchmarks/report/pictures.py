"""Which pictures there are, and what they say."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from benchmarks import stats
from benchmarks.report import charts, style
from benchmarks.report.charts import Panel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from benchmarks.measures.base import Measure
    from benchmarks.results import Results
    from benchmarks.stats import Table

LONGER = "longer is better"
SHORTER = "shorter is better"


@dataclass(frozen=True)
class Picture:
    """Bars of one measure: a panel for each case and column.

    :ivar name: of the file, without its suffix.
    :ivar columns: keys; empty for the first column.
    :ivar side_by_side: panels beside one another.
    :ivar to_passenger: ratios to Passenger instead of figures.
    """

    name: str
    measure: str
    title: str
    way: str = SHORTER
    columns: tuple[str, ...] = ()
    side_by_side: int = 2
    log: bool = False
    to_passenger: bool = False


PICTURES = (
    Picture(
        "throughput",
        "throughput",
        "Requests a second",
        LONGER,
        ("rate",),
        side_by_side=3,
        to_passenger=True,
    ),
    Picture(
        "cpu",
        "throughput",
        "CPU time of a request in all processes, µs",
        columns=("cpu",),
        side_by_side=3,
    ),
    Picture("latency", "latency", "Latency at a fixed rate"),
    Picture("mixed", "mixed", "Fast requests among slow ones"),
    Picture("mixed-closed", "mixed-closed", "Fast requests among slow ones, full load"),
    Picture(
        "slow-clients", "slow-clients", "Fast requests beside 50 slow clients", log=True
    ),
    Picture(
        "neighbour",
        "neighbour",
        "p99 beside an app that goes wrong, times that beside a good one",
    ),
    Picture(
        "idle-connections",
        "idle-connections",
        "p99 beside ten thousand idle connections, times that without",
    ),
    Picture(
        "memory",
        "memory",
        "Memory after load, MiB",
        columns=("uss", "total"),
    ),
    Picture("spawn", "spawning", "Time until a new worker is ready", log=True),
    Picture("cold-start", "cold-start", "From the start to the first answer"),
    Picture(
        "recovery",
        "recovery",
        "After kill -9 of one of two workers",
        columns=("seconds", "failed"),
    ),
    Picture("restart", "restart", "Restart under load", columns=("gap", "failed")),
)

CURVE = "memory-curve"


def draw(
    results: Results, measures: Sequence[Measure], folder: Path
) -> dict[str, list[str]]:
    """Write the pictures that there are figures for.

    :returns: the names of the files, by name of the measure.
    :raises ImportError: matplotlib is not installed.
    """
    drawn: dict[str, list[str]] = {}
    footer = footer_of(results)
    groups = groupby(stats.tables(results, measures), key=lambda one: one.measure.name)
    for name, tables in groups:
        with_rows = [one for one in tables if one.rows]
        with style.settings():
            for file, figure in figures(name, with_rows, footer):
                style.save(figure, folder / f"{file}.svg")
                drawn.setdefault(name, []).append(f"{file}.svg")
    return drawn


def figures(
    measure: str, tables: Sequence[Table], footer: str
) -> list[tuple[str, Figure]]:
    """The pictures of one measure; to be called within `style.settings`."""
    if not tables:
        return []
    if measure == CURVE:
        return [(CURVE, curve(tables, footer))]
    found = []
    for picture in PICTURES:
        if picture.measure == measure:
            figure = bars(picture, tables, footer)
            if figure:
                found.append((picture.name, figure))
    return found


def bars(picture: Picture, tables: Sequence[Table], footer: str) -> Figure | None:
    """One of `PICTURES`; nothing if nothing is known."""
    relative = picture.to_passenger and any(
        row.server == stats.PASSENGER for one in tables for row in one.rows
    )
    panels = []
    for one in tables:
        first = one.measure.columns[0].key
        for key in picture.columns or (first,):
            panel = panel_of(one, key, relative)
            if panel.bars:
                panels.append(panel)
    panels = in_most(panels)
    if not panels:
        return None
    figure = charts.bars(panels, picture.side_by_side, picture.log)
    scale = "; logarithmic scale" if picture.log else ""
    way = f"Passenger is 1; {picture.way}" if relative else f"{picture.way}{scale}"
    style.label(
        figure, picture.title, f"{way}; medians, lines from lowest to highest", footer
    )
    return figure


def panel_of(one: Table, key: str, relative: bool) -> Panel:
    """The bars of a table's column."""
    column = next(each for each in one.measure.columns if each.key == key)
    if relative:
        ratios = {
            row.server: row.beside_passenger[key].times
            for row in one.rows
            if key in row.beside_passenger
        }
        return Panel(one.title, ratios)
    unit = f", {column.unit}" if column.unit else ""
    words = [one.title, f"{column.title}{unit}"]
    title = "\n".join(word for word in words if word)
    return Panel(
        title, {row.server: row.figures[key] for row in one.rows if key in row.figures}
    )


def in_most(panels: Sequence[Panel]) -> list[Panel]:
    """Without servers that fewer than half of the panels have.

    They are in the tables; here they would leave more gaps than bars.
    """
    often = Counter(name for panel in panels for name in panel.bars)
    slim = [
        Panel(
            panel.title,
            {
                name: bar
                for name, bar in panel.bars.items()
                if often[name] * 2 >= len(panels)
            },
        )
        for panel in panels
    ]
    return [panel for panel in slim if panel.bars]


def curve(tables: Sequence[Table], footer: str) -> Figure:
    """What a worker has for itself alone, over its requests."""
    lines: dict[str, dict[float, stats.Figure]] = {}
    for one in tables:
        for row in one.rows:
            requests = row.figures["requests"].median
            lines.setdefault(row.server, {})[requests] = row.figures["uss"]
    figure = charts.curves(lines, "Requests that a worker has answered", "MiB")
    style.label(
        figure, "Memory that a worker has for itself alone", "lower is better", footer
    )
    return figure


def footer_of(results: Results) -> str:
    """Which run it is."""
    kind = "quick" if results.quick else "full"
    machine = results.machine
    return (
        f"{kind} run of {results.date}; {machine.get('processors', '?')} processors, "
        f"{machine.get('processor', '?')}, Python {machine.get('python', '?')}"
    )
