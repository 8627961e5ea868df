"""The tables in the page on the pool's algorithm are those of the code."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from passtwist.pool import PoolLimits, actions, events, notices
from passtwist.pool.room import Need
from passtwist.pool.states import APP_TRANSITIONS, WORKER_TRANSITIONS

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "pool-algorithm.md"


def table_of(transitions):
    """One row for each event, one column for each state."""
    events = list(type(next(iter(next(iter(transitions.values()))))))
    lines = [
        "| event | " + " | ".join(state.value for state in transitions) + " |",
        "|---|" + "---|" * len(transitions),
    ]
    for event in events:
        follows = [transitions[state].get(event) for state in transitions]
        cells = [after.value if after else "–" for after in follows]
        lines.append(f"| {event.value} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "transitions"),
    [("worker", WORKER_TRANSITIONS), ("app", APP_TRANSITIONS)],
)
def test_the_page_prints_the_transitions_of_the_code(name, transitions):
    """Between two markers, so that the table can be replaced as a whole."""
    text = PAGE.read_text(encoding="utf-8")
    marked = rf"<!-- {name} transitions -->\n(.*?)\n<!-- end -->"
    found = re.search(marked, text, re.DOTALL)
    assert found is not None
    assert found[1] == table_of(transitions)


@pytest.mark.parametrize("module", [events, actions, notices])
def test_the_page_names_all_that_goes_in_and_out(module):
    """Every event, action and notice has its place in the page."""
    text = PAGE.read_text(encoding="utf-8")
    names = [
        name
        for name, value in vars(module).items()
        if dataclasses.is_dataclass(value) and value.__module__ == module.__name__
    ]
    assert len(names) > 5
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_page_gives_the_limits_with_their_defaults():
    """One row for each field."""
    text = PAGE.read_text(encoding="utf-8")
    rows = [
        f"| `{field.name}` | {field.default:g} |"
        for field in dataclasses.fields(PoolLimits)
    ]
    assert [row for row in rows if row not in text] == []


def test_the_page_explains_every_need():
    """The three lines for room."""
    text = PAGE.read_text(encoding="utf-8")
    assert [need.value for need in Need if f"*{need.value}*" not in text] == []
