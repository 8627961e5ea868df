"""passtwist keeps to its own architecture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture import rules
from tests.architecture.sources import read_package

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def modules():
    """All modules of passtwist, and the drop-in of twistd."""
    return read_package(ROOT / "passtwist")


@pytest.mark.parametrize(
    "rule",
    [
        rules.broken_layers,
        rules.foreign_imports,
        rules.reactor_imports,
        rules.cycles,
        rules.large_things,
        rules.crowded_folders,
        rules.silent_modules,
        rules.meaningless_names,
    ],
    ids=lambda rule: rule.__name__,
)
def test_there_are_no(rule, modules):
    """Nothing breaks the rule; what does is listed with file and line."""
    assert list(rule(modules)) == []


def test_the_command_starts_without_twisted():
    """Not even something that it imports brings Twisted along."""
    script = "import sys, passtwist.cli.main; print('twisted.internet' in sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    assert shown.stdout == "False\n"


def test_the_drop_in_imports_nothing_of_ours():
    """Each twistd on the machine runs it, so it only names what to import later."""
    text = (ROOT / "twisted" / "plugins" / "passtwist_plugin.py").read_text()
    imports = [
        line for line in text.splitlines() if line.startswith(("import", "from"))
    ]
    assert imports == ["from twisted.application.service import ServiceMaker"]


def test_there_is_no_package_where_twisteds_is():
    """An `__init__.py` below twisted/ would hide Twisted itself."""
    assert list((ROOT / "twisted").rglob("__init__.py")) == []
