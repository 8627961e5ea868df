"""The sites that all servers are given, and the requests that are made of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent.parent / "examples" / "django_site"

# Each site has it, because Passenger wants a file of that name.
ENTRY = "passenger_wsgi:application"

# The framework of sites that are not named for theirs.
PLAIN = {"noisy": "wsgi"}


@dataclass(frozen=True)
class Site:
    """A folder with an app; answers at `/pid` and `/sleep?MILLISECONDS`, too.

    :ivar framework: as passtwist names it.
    """

    name: str
    framework: str
    entry: str
    folder: Path

    @property
    def module(self) -> str:
        """What is imported, without the callable."""
        return self.entry.partition(":")[0]


@dataclass(frozen=True)
class Case:
    """One kind of request.

    :ivar site: the name of the site that answers it.
    :ivar upload: bytes of the body; more than zero makes it a POST.
    """

    name: str
    title: str
    site: str
    path: str = "/"
    upload: int = 0


CASES = (
    Case("hello", "Hello world, plain WSGI", "wsgi"),
    Case("flask", "Hello world, Flask", "flask"),
    Case("django", "Hello world, Django, all middleware", "django", "/hello"),
    Case("rows", "Django, a page of 20 rows", "django", "/rows"),
    Case("download", "A response of 1 MiB", "wsgi", "/mebibyte"),
    Case("upload", "A request of 1 MiB", "wsgi", "/upload", upload=1 << 20),
)


def case(name: str) -> Case:
    """The case of that name."""
    return next(one for one in CASES if one.name == name)


def make_site(name: str, below: Path) -> Site:
    """A fresh copy of a site in a folder of its own below *below*."""
    folder = below / name
    if name == "django":
        shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("data"))
        urls = folder / "noticeboard" / "urls.py"
        urls.rename(urls.with_name("example_urls.py"))
    shutil.copytree(HERE / name, folder, dirs_exist_ok=True)
    # Passenger's own layout.
    (folder / "public").mkdir()
    (folder / "tmp").mkdir()
    if name == "django":
        command = [sys.executable, "post_notices.py"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return Site(name, "django", "noticeboard.wsgi:application", folder)
    return Site(name, PLAIN.get(name, name), ENTRY, folder)
