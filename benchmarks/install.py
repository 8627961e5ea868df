"""`python -m benchmarks.install [--quick]`: install the servers to compare with.

One by one, because one that can't be installed must not keep out the others;
why it could not is remembered, and told where its figures would be.  Debian's
packages need root; PyPI's go into the environment of our own interpreter.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.attempts import explained, remember
from benchmarks.packages import Debian, Pypi, Refused, Source

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Package:
    """Something to install.

    :ivar quick: the quick run uses it.
    """

    name: str
    quick: bool = False


def debian_packages() -> list[Package]:
    """The load generator, servers, and what building those of PyPI takes."""
    return [
        Package("wrk", quick=True),
        Package("passenger", quick=True),
        Package("gcc", quick=True),
        Package("libc6-dev", quick=True),
        *headers_of_python(),
        Package("libapache2-mod-passenger"),
        Package("apache2-dev"),
        Package("nginx-light"),
    ]


def headers_of_python() -> list[Package]:
    """Debian's package of them, if our interpreter is Debian's."""
    if sys.base_prefix != "/usr":
        return []
    if (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return []
    return [Package(f"python3.{sys.version_info.minor}-dev", quick=True)]


PYPI_PACKAGES = [
    Package("gunicorn", quick=True),
    Package("uwsgi", quick=True),
    Package("granian", quick=True),
    Package("waitress"),
    Package("mod-wsgi"),
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Install what is missing; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="only what the quick run uses"
    )
    quick = parser.parse_args(arguments).quick
    # As Control-C does: what is being installed is ended or waited for.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    for source, packages in ((Debian(), debian_packages()), (Pypi(), PYPI_PACKAGES)):
        install(source, [one.name for one in packages if one.quick or not quick])
    why_not = without_load()
    if why_not:
        say(why_not)
    return 1 if why_not else 0


def without_load() -> str:
    """Why nothing can be measured at all, with the remedy; empty: it can."""
    if shutil.which("wrk"):
        return ""
    return f"Nothing can be measured without wrk: {explained('apt-get install wrk')}"


def install(source: Source, names: list[str]) -> None:
    """Install those that are not installed; say and remember what happens."""
    missing = []
    for name in names:
        if source.has(name):
            remember(name, "")
        else:
            missing.append(name)
    if not missing:
        return
    with source.opened():
        for name in missing:
            begin = time.monotonic()
            # Building takes long enough to make one wonder.
            say(f"{name}: being installed ...")
            try:
                source.install(name)
            except Refused as refusal:
                remember(name, str(refusal))
                say(f"{name}: could not be installed: {refusal}")
            else:
                remember(name, "")
                say(f"{name}: installed in {time.monotonic() - begin:.0f} s")


def say(line: str) -> None:
    """For the one who waits."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
