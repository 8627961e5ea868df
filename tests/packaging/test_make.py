"""`make` says what is missing, and what to do about it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PACKAGES

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path):
    """What make needs of a checkout, with no environment in it."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def make(checkout, *arguments, **env):
    """Run make: whether it succeeded, and what it said."""
    # What an outer make, of `make test` say, told its own children.
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MF"))
    }
    ended = subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=checkout,
        env={**inherited, **env},
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
    )
    return ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("goal", [".venv/bin/ready-to-serve", "lint", "test"])
def test_no_python_at_all_is_told_with_the_remedy(checkout, goal):
    """On a machine without any, which no test can be."""
    succeeded, said = make(checkout, "PYTHON=", goal)
    assert not succeeded
    assert "passtwist needs Python 3.11 or newer, and none was found." in said
    assert "apt-get install python3 python3-venv" in said


@pytest.mark.interpreter("3.9")
def test_an_old_python_is_told_with_its_version(checkout, interpreters):
    """One that was named, or the only one there is."""
    old = interpreters[3, 9]
    succeeded, said = make(checkout, f"PYTHON={old}", "test")
    assert not succeeded
    assert f"passtwist needs Python 3.11 or newer; {old} is Python 3.9." in said


def test_a_python_without_venv_is_told_with_the_remedy(checkout):
    """Debian has ensurepip in a package of its own."""
    python = checkout / "python-without-venv"
    refuse = 'case "$*" in *ensurepip*) exit 1 ;; esac'
    python.write_text(f'#!/bin/sh\n{refuse}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    succeeded, said = make(checkout, f"PYTHON={python}", "test")
    assert not succeeded
    assert "venv or ensurepip is missing." in said
    assert "Debian: apt-get install python3-venv" in said


def test_a_missing_package_index_is_told_with_the_remedy(checkout):
    """And the next run tries again: nothing is taken for done."""
    nowhere = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
    succeeded, said = make(checkout, f"PYTHON={sys.executable}", "lint", **nowhere)
    assert not succeeded
    assert "pip could not install what passtwist needs (see above)." in said
    assert "make PIP_INDEX_URL=URL" in said
    assert not (checkout / ".venv" / "bin" / "ready-to-test").exists()


def test_nothing_is_installed_again_while_pyproject_is_older_than_the_stamp(checkout):
    """The stamp is all that make looks at."""
    stamp = checkout / ".venv" / "bin" / "ready-to-test"
    stamp.parent.mkdir(parents=True)
    stamp.touch()
    up_to_date = f"make: '{stamp.relative_to(checkout)}' is up to date.\n"
    english = {"LC_ALL": "C"}
    assert make(checkout, ".venv/bin/ready-to-test", **english) == (True, up_to_date)
    changed = stamp.stat().st_mtime + 10
    os.utime(checkout / "pyproject.toml", (changed, changed))
    assert make(checkout, "PYTHON=", ".venv/bin/ready-to-test")[0] is False


def test_without_a_goal_make_lists_what_it_can_do(checkout):
    """Each goal that is meant for people."""
    succeeded, said = make(checkout)
    assert succeeded
    goals = [line.split()[1] for line in said.splitlines()]
    tests = ["test", "storm", "fuzz", "lint", "docs-check"]
    bench = ["bench", "bench-quick", "bench-peers"]
    assert goals == ["help", "serve", *tests, *bench, "clean"]


def test_continuous_integration_installs_what_tests_ask_for():
    """Each Debian package that a skipped test would name."""
    script = (ROOT / ".ci" / "run").read_text()
    script = script.replace("\\\n", " ")
    (installed,) = re.findall(r"^    install_with_apt (.*)$", script, re.MULTILINE)
    assert set(PACKAGES.values()) <= set(installed.split())
