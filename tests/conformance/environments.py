"""Virtual environments for plugins: nothing is downloaded for them.

They see the packages of the tests' own through a ``.pth`` file, passtwist and
pytest among them, behind what is installed in them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT = 240

PIP_INSTALL = ("-m", "pip", "install", "--quiet", "--no-input", "--no-index")
PIP_INSTALL += ("--disable-pip-version-check", "--no-deps", "--no-build-isolation")


@dataclass(frozen=True)
class Environment:
    """A virtual environment in ``folder``."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Environment:
        """A new one; what it installs is put before what the tests have."""
        run(sys.executable, "-m", "venv", "--without-pip", folder)
        (site,) = folder.glob("lib/python*/site-packages")
        # addsitedir: an editable passtwist is a .pth file itself.
        packages = sysconfig.get_path("purelib")
        line = f"import site; site.addsitedir({packages!r})\n"
        (site / "packages_of_the_tests.pth").write_text(line)
        return cls(folder)

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.folder / "bin" / "python")

    def run(self, *arguments: str | Path, cwd: Path | None = None) -> str:
        """What its interpreter prints; it must succeed."""
        return run(self.python, *arguments, cwd=cwd or self.folder)

    def install(self, *projects: Path) -> None:
        """Build the wheels of *projects* and install them."""
        self.run(*PIP_INSTALL, *projects)


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """What a command prints; it must succeed."""
    # PYTHONPATH and what pytest says of the running test are not for others.
    environ = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PYTHON", "PYTEST_", "PASSTWIST_"))
    }
    ended = subprocess.run(
        [os.fspath(word) for word in command],
        cwd=cwd,
        env=environ,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=TIMEOUT,
    )
    assert ended.returncode == 0, f"{' '.join(map(str, command))}:\n{ended.stdout}"
    return ended.stdout
