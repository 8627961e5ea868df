"""The Python interpreters of this machine that an app may run under.

Runs in: tests.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path


@cache
def find_interpreters() -> dict[tuple[int, int], str]:
    """CPython 3.9 to 3.14: version to absolute path.

    Looked for on PATH and where pyenv and uv put theirs; each one is tried.
    """
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv"))
    found: dict[tuple[int, int], str] = {}
    for minor in range(9, 15):
        name = f"python3.{minor}"
        candidates = [
            *pyenv.glob(f"versions/3.{minor}.*/bin/{name}"),
            *(home / ".local/share/uv/python").glob(f"cpython-3.{minor}.*/bin/{name}"),
            *filter(None, [shutil.which(name)]),
        ]
        for candidate in candidates:
            if runs_as(str(candidate), f"3.{minor}"):
                found[3, minor] = str(candidate)
                break
    return found


def oldest_interpreter() -> str:
    """The oldest of `find_interpreters`, our own if there is none."""
    found = find_interpreters()
    return found[min(found)] if found else sys.executable


def runs_as(python: str, version: str) -> bool:
    """Whether *python* starts and is CPython *version*; a pyenv shim may not."""
    shown = subprocess.run(
        [python, "-I", "-S", "--version"],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    return bool(re.match(rf"Python {re.escape(version)}\.", shown.stdout))
