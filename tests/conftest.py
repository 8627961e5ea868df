"""What holds for every test of passtwist: cleanliness, order, and what it needs."""

from __future__ import annotations

import compileall
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from passtwist.testing.interpreters import find_interpreters

pytest_plugins = ["pytester"]

TESTS = Path(__file__).parent
ROOT = TESTS.parent

# What is broken at the bottom shows first: it breaks what is above it.
FIRST = ("architecture", "wire", "pool", "http", "api", "worker", "spawnserver")
LAST = ("integration", "conformance", "packaging")

# Which Debian package brings a program that a test can ask for; .ci/run installs
# these.
PACKAGES = {
    "apache2": "apache2",
    "chromium": "chromium",
    "haproxy": "haproxy",
    "nginx": "nginx-light",
    "setpriv": "util-linux",
    "slowhttptest": "slowhttptest",
    "strace": "strace",
    "systemd-analyze": "systemd",
    "wrk": "wrk",
}


# A machine that is busy is no fault of what is tested, and what each of many runs
# tries in a day is more than what one run tries; `make storm` takes its time.
settings.register_profile(
    "every time",
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("storm", settings.get_profile("every time"), max_examples=500)


def pytest_configure() -> None:
    """Have passtwist compiled, as pip leaves it; else each started process does it."""
    compileall.compile_dir(ROOT / "passtwist", quiet=2)
    storm = os.environ.get("PASSTWIST_STORM") == "full"
    settings.load_profile("storm" if storm else "every time")


@pytest.fixture(autouse=True)
def _every_test_cleans_up(leaves_nothing_behind):
    """No test leaves a failure, timer, socket, process or descriptor behind."""


@pytest.fixture(scope="session")
def interpreters() -> dict[tuple[int, int], str]:
    """CPython 3.9 to 3.14 of this machine: version to absolute path."""
    return find_interpreters()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the packages of tests; inside of one, files and tests keep theirs."""
    items.sort(key=rank)


def rank(item: pytest.Item) -> int:
    """Where the test's package comes: FIRST, the others, LAST."""
    folder = item.path.relative_to(TESTS).parts[0] if TESTS in item.path.parents else ""
    if folder in FIRST:
        return FIRST.index(folder)
    if folder in LAST:
        return len(FIRST) + 1 + LAST.index(folder)
    return len(FIRST)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose marker names something that is missing, and name it.

    ``root`` needs root; ``debian("wrk")`` needs these programs;
    ``interpreter("3.9")`` needs these versions of Python, without arguments
    any other than our own.  What `real` needs, its fixtures make or skip for.
    """
    for mark in item.iter_markers():
        check = NEEDS.get(mark.name)
        reason = check(*mark.args) if check else ""
        if reason:
            pytest.skip(reason)


def root_is_missing() -> str:
    return "" if os.geteuid() == 0 else "needs to be root"


def program_is_missing(*programs: str) -> str:
    # Daemons are where only root's PATH leads.
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    missing = [name for name in programs if not shutil.which(name, path=path)]
    packages = " ".join(PACKAGES.get(name, name) for name in missing)
    return f"needs {', '.join(missing)}: apt-get install {packages}" if missing else ""


def interpreter_is_missing(*versions: str) -> str:
    found = {f"{major}.{minor}" for major, minor in find_interpreters()}
    if not versions:
        return "" if len(found) > 1 else "needs another Python interpreter"
    missing = [version for version in versions if version not in found]
    return f"needs Python {', '.join(missing)}" if missing else ""


NEEDS = {
    "root": root_is_missing,
    "debian": program_is_missing,
    "interpreter": interpreter_is_missing,
}
