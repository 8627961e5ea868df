"""The journey of a failed spawn: each step by each process, with its time.

Runs in: the controller.  Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.web.template import Tag, tags

from passtwist.http.pages.shown import shown
from passtwist.model import APP, FRAMEWORK, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROCESSES = {APP: "app spawner", FRAMEWORK: "framework spawner"}
_COLUMNS = ("Process", "Pid", "Step", "State", "Time", "")


def journey_table(steps: Sequence[Step]) -> Tag:
    """One row for each step, with a bar that shows when it was under way."""
    begin = min(step.begun_at for step in steps)
    end = max(step.begun_at + (step.seconds or 0.0) for step in steps)
    span = max(end - begin, 1e-6)
    rows = [_row(step, begin, span) for step in steps]
    head = tags.tr(*(tags.th(name) for name in _COLUMNS))
    return tags.div(
        tags.table(tags.thead(head), tags.tbody(*rows), class_="journey"),
        class_="scroll",
    )


def seconds_of(steps: Sequence[Step]) -> float:
    """From the first beginning to the last end."""
    begin = min(step.begun_at for step in steps)
    return max(step.begun_at + (step.seconds or 0.0) for step in steps) - begin


def _row(step: Step, begin: float, span: float) -> Tag:
    cells = (
        _PROCESSES.get(step.who, step.who),
        str(step.pid or ""),
        step.name,
        step.state,
        "" if step.seconds is None else f"{step.seconds:.3f} s",
    )
    # At the very end there is room for the least that can be seen.
    left = min((step.begun_at - begin) / span * 100, 98.0)
    width = (step.seconds or 0.0) / span * 100
    bar = tags.i(style=f"margin-left:{left:.2f}%;width:{width:.2f}%")
    return tags.tr(
        *(tags.td(shown(cell)) for cell in cells),
        tags.td(bar, class_="bar"),
        class_=step.state,
    )
