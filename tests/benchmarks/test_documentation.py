"""The pages about measuring say what is there."""

from __future__ import annotations

import re
import shlex

import pytest

from benchmarks import __main__ as command
from benchmarks.measures import every_measure
from benchmarks.report.page import KINDS
from benchmarks.report.pictures import CURVE, PICTURES
from benchmarks.simulation import __main__ as simulation
from tests.docs.pages import ROOT, Page

HOW_WE_MEASURE = Page(ROOT / "docs" / "explanation" / "how-we-measure.md")
MEASURE = Page(ROOT / "docs" / "how-to" / "measure.md")
README = Page(ROOT / "benchmarks" / "README.md")


def names(heading):
    """What a table of the page is about: its first column."""
    return [row[0].strip("` ") for row in HOW_WE_MEASURE.table(heading)]


def test_every_measure_is_described():
    """And nothing that is not measured."""
    assert sorted(names("## What is measured")) == sorted(
        one.name for one in every_measure()
    )


def test_every_reason_for_a_missing_figure_is_explained():
    """As the results have them."""
    assert sorted(names("## Who takes part")) == sorted(KINDS)


def test_every_picture_is_shown():
    """From where the results are."""
    shown = re.findall(r"results/([\w-]+)\.svg\)", HOW_WE_MEASURE.text)
    assert sorted(shown) == sorted([CURVE, *(one.name for one in PICTURES)])


def test_the_readme_of_the_benchmarks_holds_together():
    """Its links lead somewhere, and what it lists is all there is."""
    assert README.broken_links() == []
    listed = {row[0].strip("`/") for row in README.table("## What is where")}
    there = {
        path.name
        for path in (ROOT / "benchmarks").iterdir()
        if path.suffix == ".py" or (path.is_dir() and any(path.glob("[!_]*")))
    }
    assert listed == there - {"__init__.py"}


COMMANDS = [
    line
    for page in (MEASURE, README)
    for block in page.blocks
    for line in re.findall(r"^\$ .venv/bin/python -m (benchmarks.*)", block.text, re.M)
]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_line_that_is_shown_is_understood(line):
    """Its options exist, and what they take."""
    module, *words = shlex.split(line, comments=True)
    if module == "benchmarks":
        assert command.parsed(words)
    elif module == "benchmarks.simulation":
        assert simulation.parsed(words)
    else:
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file()
        assert words == []


def test_there_are_commands_to_check():
    """Else the test above says nothing."""
    assert len(COMMANDS) >= 5
