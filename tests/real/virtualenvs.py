"""Virtual environments for applications from PyPI, made once and then kept.

Runs in: tests.

They lie in ``.venvs`` of the checkout, which git ignores.  Nothing of ours is
installed in them: an app's interpreter knows nothing of passtwist.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CACHE = Path(__file__).parents[2] / ".venvs"
# The last file that is made; a folder without it was interrupted.
COMPLETE = "complete"
PATIENCE = 240  # seconds for one pip install, over a slow line too

# What pip says when it got no answer, as opposed to one it did not like.
NO_ANSWER = re.compile(
    "connection broken by|Max retries exceeded|Could not fetch URL|Ignoring indexes"
)


class IndexUnreachable(Exception):
    """pip cannot reach its package index; the message says for what it tried."""


class InstallFailed(Exception):
    """pip reached its index and failed all the same; the message is its own."""


def virtualenv(
    name: str,
    *requirements: str,
    python: str = sys.executable,
    cache: Path = CACHE,
    pip_env: Mapping[str, str] | None = None,
) -> Path:
    """A virtual environment of *python* with *requirements*.

    Made unless there is one with just these requirements and this Python.
    Scripts in it name its path, so it is made in its place and marked when it
    is complete, rather than made elsewhere and moved.

    :param pip_env: variables for pip, beside the test's own.
    :returns: its interpreter.
    :raises IndexUnreachable: see there.
    :raises InstallFailed: see there.
    """
    folder = cache / key(name, requirements, python)
    made = folder / "bin" / "python"
    cache.mkdir(exist_ok=True)
    with _locked(cache / "lock"):
        if not (folder / COMPLETE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            try:
                _make(python, folder)
                if requirements:
                    _install(made, requirements, {**os.environ, **(pip_env or {})})
                (folder / COMPLETE).touch()
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
    return made


def key(name: str, requirements: tuple[str, ...], python: str = sys.executable) -> str:
    """The name of its folder: other requirements, or another Python, another one."""
    which = sys.version if python == sys.executable else python
    told = "\n".join([which, sys.base_prefix, *requirements])
    return f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One test run at a time makes environments; the others wait for them."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(python: str, folder: Path) -> None:
    subprocess.run(
        # Our pip installs: to unpack one takes longer than all the rest.
        [python, "-m", "venv", "--without-pip", str(folder)],
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )


def _install(
    python: Path, requirements: tuple[str, ...], env: Mapping[str, str]
) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", str(python), "install"),
            *("--disable-pip-version-check", "--retries=2", "--timeout=20"),
            *requirements,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
        check=False,
        timeout=PATIENCE,
    )
    if done.returncode == 0:
        return
    wanted = " ".join(requirements)
    if NO_ANSWER.search(done.stdout):
        raise IndexUnreachable(f"pip cannot reach its index for {wanted}")
    raise InstallFailed(f"pip install {wanted}:\n{done.stdout}")
