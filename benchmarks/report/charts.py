"""The two kinds of pictures: bars in panels, and curves."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import stats
from benchmarks.report import style
from benchmarks.report.numbers import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from benchmarks.stats import Figure as Spread

# Inches.
ROW = 0.17
LINE = 0.16
AXIS = 0.38
# Letters, in all panels of a row together.
TITLE_WIDTH = 72
MARKERS = "osD^vPX*"
DASHES = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class Panel:
    """Bars of some servers."""

    title: str
    bars: Mapping[str, Spread]


def bars(panels: Sequence[Panel], columns: int, log: bool = False) -> Figure:
    """Horizontal bars; in a row of panels each server has its place.

    :param columns: panels beside one another.
    :param log: on a logarithmic scale.
    """
    columns = min(columns, len(panels))
    bands = [panels[at : at + columns] for at in range(0, len(panels), columns)]
    servers = [
        list(dict.fromkeys(name for panel in band for name in panel.bars))
        for band in bands
    ]
    titles = [[_wrapped(panel.title, columns) for panel in band] for band in bands]
    heights = [
        ROW * len(names) + AXIS + LINE * max(map(len, above))
        for names, above in zip(servers, titles, strict=True)
    ]
    figure, rows = style.canvas(heights, columns)
    for places, band, above, names in zip(rows, bands, titles, servers, strict=True):
        for place in places[len(band) :]:
            place.set_axis_off()
        _names(places[0], names)
        for place, panel, title in zip(places, band, above, strict=False):
            place.set_title("\n".join(title), loc="left")
            _bars(place, panel, names, log)
    return figure


def _wrapped(title: str, columns: int) -> list[str]:
    """Lines that fit above a panel."""
    return [
        line
        for part in title.splitlines()
        for line in textwrap.wrap(part, TITLE_WIDTH // columns)
    ]


def _names(place: Axes, servers: Sequence[str]) -> None:
    """Of the servers, on the left, from the top down."""
    place.set_yticks(range(len(servers)), servers)
    place.set_ylim(len(servers) - 0.4, -0.6)
    for tick, server in zip(place.get_yticklabels(), servers, strict=True):
        if stats.is_ours(server):
            tick.set_color(style.OURS)
            tick.set_fontweight("bold")


def _bars(place: Axes, panel: Panel, servers: Sequence[str], log: bool) -> None:
    place.tick_params(axis="y", length=0)
    place.tick_params(axis="x", labelsize=7)
    place.spines["left"].set_visible(False)
    place.grid(axis="x", color=style.GRID, linewidth=0.6)
    place.set_axisbelow(True)
    for at, server in enumerate(servers):
        found = panel.bars.get(server)
        if found is None:
            continue
        place.barh(at, found.median, height=0.72, color=style.colour(server))
        if found.rounds > 1:
            place.plot([found.low, found.high], [at, at], color=style.INK, lw=0.9)
        place.annotate(
            number(found.median),
            (found.high, at),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
    # Room for the last number.
    widest = max(one.high for one in panel.bars.values())
    above_zero = [one.low for one in panel.bars.values() if one.low > 0]
    if log and above_zero:
        place.set_xscale("log")
        place.xaxis.set_major_formatter(lambda x, _: number(x))
        place.set_xlim(min(above_zero) / 2, widest * 8)
    else:
        place.set_xlim(0, widest * 1.3 or 1)


def curves(
    lines: Mapping[str, Mapping[float, Spread]], x_title: str, y_title: str
) -> Figure:
    """A line for each server, on a logarithmic scale that begins at zero.

    Lines of one colour differ in their markers and dashes.
    """
    figure, ((place,),) = style.canvas([3.4], 1)
    place.set_xscale("symlog", linthresh=1, linscale=0.4)
    ends = sorted({x for line in lines.values() for x in line})
    place.set_xticks(ends, [number(x) for x in ends])
    place.minorticks_off()
    place.set_xlabel(x_title)
    place.set_ylabel(y_title)
    place.grid(color=style.GRID, linewidth=0.6)
    for index, (server, line) in enumerate(lines.items()):
        xs = sorted(line)
        place.plot(
            xs,
            [line[x].median for x in xs],
            color=style.colour(server),
            linestyle=DASHES[index % len(DASHES)],
            marker=MARKERS[index % len(MARKERS)],
            markersize=4.5,
            linewidth=2.0 if stats.is_ours(server) else 1.3,
            label=server,
        )
    place.set_ylim(bottom=0)
    # Beside the lines, not over them.
    place.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return figure
