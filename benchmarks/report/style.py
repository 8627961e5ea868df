"""How all pictures look, and how they are saved: the same bytes each time."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from benchmarks import stats

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Of Okabe and Ito's palette, which the colour-blind can tell apart.
OURS = "#0072B2"
PASSENGER = "#E69F00"
OTHERS = "#9A9A9A"
INK = "#333333"
GRID = "#E4E4E4"

# Inches; 691 pixels in a browser.
WIDTH = 7.2
TITLE_AND_FOOTER = 0.75

# Any, because matplotlib's own types list the keys of one version of it.
SETTINGS: dict[Any, Any] = {
    # Else the names inside the file are random.
    "svg.hashsalt": "passtwist",
    # Text as text: half of the size, and it can be searched.
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.edgecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "white",
}


def colour(server: str) -> str:
    """Ours, Passenger's, or that of all others."""
    if stats.is_ours(server):
        return OURS
    return PASSENGER if server == stats.PASSENGER else OTHERS


@contextlib.contextmanager
def settings() -> Iterator[None]:
    """Pictures are drawn and saved within."""
    import matplotlib

    with matplotlib.rc_context():
        # Whatever the user has set for pictures of their own.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield


def canvas(heights: Sequence[float], columns: int) -> tuple[Figure, list[list[Axes]]]:
    """A picture with rows of panels; those of a row share what is on the left.

    :param heights: inches, of each row.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = (WIDTH, sum(heights) + TITLE_AND_FOOTER)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(
        len(heights), columns, squeeze=False, sharey="row", height_ratios=heights
    )
    return figure, [list(row) for row in panels]


def label(figure: Figure, title: str, way: str, footer: str) -> None:
    """What it says, which way is better, and of which run it is."""
    figure.suptitle(f"{title}\n{way}", x=0.01, ha="left", fontsize=10.5)
    figure.supxlabel(footer, x=0.01, ha="left", fontsize=7, color="#666666")


def save(figure: Figure, path: Path) -> None:
    """As SVG without a date, so that the same results make the same file."""
    metadata = {"Date": None, "Creator": "passtwist"}
    figure.savefig(path, format="svg", metadata=metadata)
