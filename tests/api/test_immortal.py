"""`freeze = "immortal"` is refused at start-up where its interpreter can't do it."""

from __future__ import annotations

import os
import sys

import pytest

from passtwist.api.interpreters import version_of
from passtwist.api.settings_rules import IMMORTAL_VERSIONS
from passtwist.spawnserver.immortal import VERSIONS

APP = '[[app]]\nname = "shop"\nroot = "site"\nfreeze = "immortal"\n'


def make_virtualenv(folder, *libraries):
    """The names of one, nothing more."""
    (folder / "bin").mkdir(parents=True)
    (folder / "pyvenv.cfg").touch()
    (folder / "bin" / "python").symlink_to("/nowhere/to/be/found")
    for library in libraries:
        (folder / "lib" / library / "site-packages").mkdir(parents=True)
    return folder / "bin" / "python"


@pytest.mark.parametrize("version", ["3.9", "3.11", "3.14", "3.13t"])
def test_a_virtualenv_of_another_version_is_refused(problems, tmp_path, version):
    """In one line, before anything is started."""
    python = make_virtualenv(tmp_path / "site" / ".venv", f"python{version}")
    [problem] = problems(APP)
    assert problem == (
        '[[app]] "shop": freeze: "immortal" needs CPython 3.12 or 3.13 with a GIL, and '
        f'"{python}" is {version}; write "gc" or set python'
    )


@pytest.mark.parametrize(
    "libraries", [["python3.12"], ["python3.13"], [], ["pypy3.11"]]
)
def test_a_virtualenv_that_can_do_it_or_does_not_say_is_not(load, tmp_path, libraries):
    """What its name does not tell, the spawner will say."""
    make_virtualenv(tmp_path / "site" / ".venv", *libraries)
    assert load(APP).apps[0].freeze == "immortal"


def test_two_versions_in_one_place_tell_nothing(tmp_path):
    """Somebody has made the virtualenv anew without removing the old one."""
    python = make_virtualenv(tmp_path / "venv", "python3.11", "python3.13")
    assert version_of(str(python)) == ""


def test_an_app_that_is_not_there_yet_may_bring_its_virtualenv(load):
    """Nor does an interpreter that is missing stop the settings from being read."""
    assert load(APP).apps[0].freeze == "immortal"
    assert load(APP + 'python = "/nowhere/python3.11"').apps[0].freeze == "immortal"


@pytest.mark.interpreter
def test_the_version_of_an_interpreter_is_in_its_name(interpreters, tmp_path):
    """Also behind links; and our own needs no name."""
    link = tmp_path / "bin" / "python"
    link.parent.mkdir()
    for (major, minor), python in interpreters.items():
        assert version_of(python) == f"{major}.{minor}"
        link.symlink_to(python)
        assert version_of(str(link)) == f"{major}.{minor}"
        link.unlink()
    ours = "{}.{}".format(*sys.version_info[:2])
    assert version_of(sys.executable).rstrip("t") == ours
    assert version_of(os.devnull) == ""


def test_server_and_spawner_name_the_same_versions():
    """They are of layers that may not import each other."""
    assert tuple("{}.{}".format(*each) for each in VERSIONS) == IMMORTAL_VERSIONS
