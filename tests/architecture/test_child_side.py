"""What runs in apps' processes is importable where apps run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.rules import layer_of
from tests.architecture.sources import read_package

ROOT = Path(__file__).parents[2]

# -I and -S: no site-packages, no environment, no current folder.
IMPORT_ALL = """
import importlib, json, sys, traceback
sys.path.insert(0, {root!r})
before = set(sys.modules)
broken = {{}}
for name in {names!r}:
    try:
        importlib.import_module(name)
    except BaseException:
        broken[name] = traceback.format_exc()
foreign = [n for n in set(sys.modules) - before
           if n.split(".")[0] in ("twisted", "zope", "attr", "attrs", "pluggy")]
print(json.dumps([broken, sorted(foreign)]))
"""


@pytest.fixture(scope="module")
def child_side():
    """The names of all modules that run below the controller."""
    names = []
    for module in read_package(ROOT / "passtwist").values():
        layer = layer_of(module.name)
        if layer is not None and layer.below_the_controller:
            names.append(f"passtwist.{module.name}")
    return names


def import_all(python, names):
    """Import *names* with a bare *python*: what broke, and what was foreign."""
    shown = subprocess.run(
        [
            python,
            "-I",
            "-S",
            "-B",
            "-c",
            IMPORT_ALL.format(root=str(ROOT), names=names),
        ],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    return json.loads(shown.stdout)


def test_the_child_side_imports_with_nothing_but_our_own_interpreter(child_side):
    """No site-packages: the standard library is all there is."""
    assert "passtwist.wire.frames" in child_side
    assert import_all(sys.executable, child_side) == [{}, []]


@pytest.mark.interpreter
def test_the_child_side_imports_under_the_oldest_and_newest_interpreter(
    child_side, interpreters
):
    """An app brings its own Python, 3.9 at the oldest."""
    for version in sorted({min(interpreters), max(interpreters)}):
        assert import_all(interpreters[version], child_side) == [{}, []], version


def test_a_module_that_cannot_be_imported_is_named(tmp_path):
    """The check itself can fail."""
    broken, foreign = import_all(sys.executable, ["passtwist.errors", "attrs"])
    assert list(broken) == ["attrs"]
    assert "ModuleNotFoundError" in broken["attrs"]
    assert foreign == []
