"""The tutorial for plugin authors, followed to the letter."""

from __future__ import annotations

import pytest

from tests.conformance.environments import Environment
from tests.docs.pages import ROOT, Block, Page
from tests.docs.reader import Reader

PAGE = Page(ROOT / "docs" / "tutorials" / "your-first-plugin.md")


@pytest.fixture
def reader(tmp_path):
    """Somebody with an empty folder and a virtual environment."""
    folder = tmp_path / "plugin"
    folder.mkdir()
    return Reader(folder, Environment.make(tmp_path / "environment"))


@pytest.mark.timeout(300)
def test_following_the_tutorial_gives_what_it_says(reader):
    """Every file is written, every command typed, every answer compared."""
    reader.follow(PAGE)
    assert reader.files == [
        "greeting.py",
        "hello/passenger_wsgi.py",
        "pages.py",
        "pages_child.py",
        "test_pages.py",
        "pyproject.toml",
    ]
    asked = [command for command in reader.commands if command.startswith("curl")]
    assert reader.compared == len(asked) == 5
    assert len(reader.files) + len(reader.commands) >= len(PAGE.blocks)


def test_a_wrong_answer_is_noticed(reader):
    """The reader compares whole lines."""
    reader.type("$ echo right\nright\n")
    with pytest.raises(AssertionError, match=r"\$ echo wrong"):
        reader.type("$ echo wrong\nright\n")


def test_a_file_without_a_name_is_noticed(reader):
    """No block is passed over in silence."""
    with pytest.raises(AssertionError, match="does not say which file"):
        reader.write(Block("python", "import os\n"))


def test_a_command_that_nobody_knows_is_noticed(reader):
    """The same."""
    with pytest.raises(AssertionError, match="nobody taught the reader"):
        reader.type("$ sudo make me a sandwich\n")
