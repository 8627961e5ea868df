"""Where packages come from, Debian or PyPI: what is here, and how to get the rest."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICY = Path("/usr/sbin/policy-rc.d")

# Seconds; building mod_wsgi takes a minute on a slow machine.
PATIENCE = 300


class Refused(Exception):
    """A package could not be installed; the text says why."""


class Source(ABC):
    """Of packages."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """It is installed."""

    @abstractmethod
    def install(self, name: str) -> None:
        """Install one package.

        :raises Refused: it could not be.
        """

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """What holds while packages of it are installed."""
        yield


class Debian(Source):
    """apt-get, as root only; starts no service."""

    def has(self, name: str) -> bool:
        if not shutil.which("dpkg-query"):
            return False
        query = ["dpkg-query", "--show", "--showformat=${Status}", name]
        said = subprocess.run(query, capture_output=True, text=True, check=False)
        return said.stdout.startswith("install ok installed")

    def install(self, name: str) -> None:
        if not shutil.which("apt-get"):
            raise Refused("there is no apt-get here")
        if os.geteuid() != 0:
            raise Refused(f"needs root: apt-get install {name}")
        # What can hang is the network; dpkg must not be stopped half-way.
        command = [*APT, "install", "--no-install-recommends", "--yes", name]
        run([*command, "--download-only"], PATIENCE)
        run(command, None)

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            yield
            return
        # What is known already may do.
        with contextlib.suppress(Refused):
            run([*APT, "update"], PATIENCE)
        with no_services_started():
            yield


NONE_STARTS = (
    "#!/bin/sh\n# For as long as passtwist's benchmarks are installed.\nexit 101\n"
)


@contextlib.contextmanager
def no_services_started(policy: Path = POLICY) -> Iterator[None]:
    """Debian starts a web server as soon as it is installed; not in this block.

    Another policy that is here is somebody else's, and holds; one of ours is what
    a killed run has left.
    """
    if policy.exists() and policy.read_text() != NONE_STARTS:
        yield
        return
    policy.write_text(NONE_STARTS)
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


class Pypi(Source):
    """pip, into the environment of our own interpreter."""

    def has(self, name: str) -> bool:
        try:
            version(name)
        except PackageNotFoundError:
            return False
        return True

    def install(self, name: str) -> None:
        run([*PIP, "install", name], PATIENCE)


# Somebody else's installation may hold apt's lock for a while.
APT = ["apt-get", "-qq", "--option=DPkg::Lock::Timeout=60"]
# What pip has in its cache may have been built for another interpreter of the
# same version, and would run the app with that.
PIP = [
    *(sys.executable, "-m", "pip", "--no-cache-dir"),
    *("--quiet", "--disable-pip-version-check", "--retries=1"),
]


def run(command: list[str], patience: float | None) -> None:
    """Run it and all that it starts, for *patience* seconds at most.

    Without a limit it is not ended at all, whatever ends us.

    :raises Refused: it failed; with the end of what it said.
    """
    process = subprocess.Popen(
        command,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        raise Refused(f"took longer than {patience:g} s") from None
    finally:
        if process.returncode is None:
            if patience is not None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode:
        raise Refused(end_of(said) or f"exit status {process.returncode}")


def end_of(said: str) -> str:
    """The last lines that say something about what went wrong, in one."""
    lines = [line.strip(" \t│╰─>×") for line in said.splitlines()]
    lines = [line for line in lines if line and not line.startswith(CHATTER)]
    errors = [
        line for line in lines if line.lower().startswith(("e:", "error", "fatal"))
    ]
    return "; ".join((errors or lines)[-3:])


# As apt-get and pip begin them.
ERRORS = ("e:", "error", "fatal")
CHATTER = ("note:", "hint:", "WARNING:", "[notice]")
