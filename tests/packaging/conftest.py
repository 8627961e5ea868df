"""The distribution, built from a copy of the sources and installed twice.

Nothing is downloaded: the new environments see the packages of the tests' own
through a ``.pth`` file, behind what is installed in them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TIMEOUT = 120


@dataclass(frozen=True)
class Environment:
    """A virtual environment in which passtwist is installed."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def run(self, *arguments: str) -> str:
        """What its interpreter prints, started in an empty folder."""
        elsewhere = self.folder / "empty"
        elsewhere.mkdir(exist_ok=True)
        return run(self.python, *arguments, cwd=elsewhere)


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """What a command prints; it must succeed."""
    ended = subprocess.run(
        command,
        cwd=cwd,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def install(wheel: Path, folder: Path) -> Environment:
    """A new environment with the wheel in it."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    environment = Environment(folder)
    pip = [sys.executable, "-m", "pip", "--python", environment.python]
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel)
    (site,) = folder.glob("lib/python*/site-packages")
    # Only now, so that pip does not take the tests' passtwist for an old one.
    pth = site / "packages_of_the_tests.pth"
    pth.write_text(sysconfig.get_path("purelib") + "\n")
    return environment


@pytest.fixture(scope="session")
def sources(tmp_path_factory) -> Path:
    """A copy of what is packaged, with a cache in it as twistd leaves one."""
    folder = tmp_path_factory.mktemp("sources")
    ignored = shutil.ignore_patterns("__pycache__", "dropin.cache")
    for name in ("passtwist", "twisted"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "twisted" / "plugins" / "dropin.cache").write_bytes(b"absolute paths")
    return folder


@pytest.fixture(scope="session")
def wheel(sources, tmp_path_factory) -> Path:
    """The wheel, as a release has it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    run(*build, "--outdir", folder, sources)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def editable_wheel(sources, tmp_path_factory) -> Path:
    """What ``pip install --editable`` asks the build backend for."""
    folder = tmp_path_factory.mktemp("editable")
    call = "import sys, hatchling.build as b; b.build_editable(sys.argv[1])"
    run(sys.executable, "-c", call, folder, cwd=sources)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory) -> Environment:
    """An environment with the wheel."""
    return install(wheel, tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="session")
def editable(editable_wheel, tmp_path_factory) -> Environment:
    """An environment with an editable installation."""
    return install(editable_wheel, tmp_path_factory.mktemp("editable_venv"))


@pytest.fixture(params=["installed", "editable"])
def environment(request) -> Environment:
    """Each kind of installation in turn."""
    return request.getfixturevalue(request.param)
