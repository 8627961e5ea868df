"""What is in the wheel, and what an installation gives."""

from __future__ import annotations

import json
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

LOAD_ALL = """
import importlib.metadata as metadata, json, sys
loaded = {}
for entry in metadata.entry_points(group=sys.argv[1]):
    loaded[entry.name] = entry.load().__name__
print(json.dumps(loaded))
"""

TWISTD = "from twisted.scripts.twistd import run; run()"


def test_the_wheel_holds_the_package_and_the_drop_in_and_nothing_else(wheel, sources):
    """All modules and py.typed; no cache that names paths of the building machine."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = {
        str(path.relative_to(sources))
        for path in (sources / "passtwist").rglob("*")
        if path.is_file()
    }
    assert names == package | {"twisted/plugins/passtwist_plugin.py"}
    assert "passtwist/py.typed" in names


def test_the_wheel_is_for_every_linux_and_brings_the_licence(wheel):
    """Pure Python, for Python 3."""
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        (licence,) = [n for n in archive.namelist() if n.endswith("licenses/LICENSE")]
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()


def test_the_package_comes_from_where_it_was_installed(installed, editable, sources):
    """The tests below look at the right one."""
    where = ("-c", "import passtwist; print(passtwist.__file__)")
    assert Path(installed.run(*where)).is_relative_to(installed.folder)
    assert Path(editable.run(*where)).is_relative_to(sources)


def test_twistd_lists_passtwist(environment):
    """`twistd --help` finds the drop-in."""
    shown = environment.run("-c", TWISTD, "--help")
    (line,) = [row for row in shown.splitlines() if row.split()[:1] == ["passtwist"]]
    assert line.split(maxsplit=1)[1] == "Application server for Python web applications"


def test_twistd_knows_the_options_of_passtwist(environment):
    """The drop-in leads to the module that makes the service."""
    assert "--config" in environment.run("-c", TWISTD, "passtwist", "--help")


def test_listing_plugins_imports_nothing_of_passtwist(environment):
    """Each twistd on the machine pays for what a drop-in imports."""
    script = """
import sys
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
assert "passtwist" in [maker.tapname for maker in getPlugins(IServiceMaker)]
print([name for name in sys.modules if name.split(".")[0] == "passtwist"])
"""
    assert environment.run("-c", script) == "[]\n"


@pytest.mark.parametrize("group", ["passtwist", "pytest11"])
def test_all_entry_points_load(environment, group):
    """Each name in pyproject.toml leads to a module that can be imported."""
    loaded = json.loads(environment.run("-c", LOAD_ALL, group))
    declared = PROJECT["entry-points"][group]
    assert {name: loaded.get(name) for name in declared} == declared


def test_the_command_is_installed(environment):
    """`passtwist --help` works from any folder."""
    shown = environment.run(str(environment.python.with_name("passtwist")), "--help")
    assert "Usage: passtwist" in shown
