"""Other users' sites, and being another user.

Runs in: tests, as root.
"""

from __future__ import annotations

import ctypes
import json
import os
import pwd
import shutil
import struct
import subprocess
import sys
import sysconfig
from importlib.metadata import distribution
from pathlib import Path

import passtwist
from tests.integration.sites import APPS, Site

# For apps: one that every user may run, which that of the tests need not be.
PYTHON = "/usr/bin/python3"
# On every Debian; no test makes accounts.
OWNER, STRANGER = "games", "daemon"
FLASK = ("flask", "werkzeug", "jinja2", "markupsafe", "itsdangerous", "click")
FLASK += ("blinker",)

IN_OPEN = 0x20


def give(folder: Path, user: str) -> None:
    """Make *folder* and all in it that user's; links too."""
    account = pwd.getpwnam(user)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def site_of(owner: str, parent: Path, name: str, /, **keys: object) -> Site:
    """A site of ``tests/apps/who`` that belongs to *owner*."""
    keys.setdefault("python", PYTHON)
    site = Site(parent, name, APPS / "who", **keys)
    give(site.root, owner)
    return site


def virtualenv(site: Site, *distributions: str) -> Path:
    """One in the site, with *distributions* of ours; its site-packages."""
    folder = site.root / ".venv"
    make = [PYTHON, "-m", "venv", "--without-pip", folder]
    subprocess.run(make, check=True, timeout=60)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in distributions:
        found = distribution(name)
        for file in found.files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                target = packages / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(found.locate_file(file), target)
    return packages


def status_of(pid: int) -> dict[str, list[str]]:
    """The lines of /proc/PID/status, each cut into words."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: rest.split() for name, _, rest in (x.partition(":") for x in lines)}


def as_user(user: str, code: str, *arguments: object) -> object:
    """What *code*, run by that user, prints as JSON."""
    account = pwd.getpwnam(user)
    told = subprocess.run(
        [PYTHON, "-I", "-c", code, *map(str, arguments)],
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=(),
        cwd="/",
        env={},
        capture_output=True,
        check=True,
        timeout=30,
    )
    answer: object = json.loads(told.stdout)
    return answer


def is_open_to_all(path: str) -> bool:
    """Everybody may enter the folders that lead to *path*."""
    return all(one.stat().st_mode & 0o001 for one in Path(path).resolve().parents)


def server_for_all() -> tuple[str, dict[str, str]] | None:
    """Interpreter and environment of a server that may leave root, if there is one.

    After that it still imports modules, and starts the spawn manager.
    """
    packages = sysconfig.get_path("purelib")
    ours = str(Path(passtwist.__file__).parents[1])
    if not (is_open_to_all(packages) and is_open_to_all(ours)):
        return None
    if is_open_to_all(sys.executable):
        return sys.executable, {}
    version = [PYTHON, "-c", "import sys; print(sys.version_info[:2])"]
    told = subprocess.run(version, capture_output=True, text=True, check=True)
    if told.stdout.strip() != str(tuple(sys.version_info[:2])):
        return None
    return PYTHON, {"PYTHONPATH": f"{ours}:{packages}", "PYTHONDONTWRITEBYTECODE": "1"}


class Watch:
    """Notes what is opened, whoever opens it; to be closed.

    By inotify: a file system need not keep the time of the last access.
    """

    def __init__(self, *paths: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._paths = {}
        for path in paths:
            number = libc.inotify_add_watch(
                self._descriptor, os.fsencode(path), IN_OPEN
            )
            assert number > 0, os.strerror(ctypes.get_errno())
            self._paths[number] = path

    def opened(self) -> list[Path]:
        """What was opened since the last time, each as often as it was."""
        found = []
        while True:
            try:
                data = os.read(self._descriptor, 65536)
            except BlockingIOError:
                return found
            while data:
                number, _mask, _cookie, size = struct.unpack_from("iIII", data)
                found.append(self._paths[number])
                data = data[16 + size :]

    def close(self) -> None:
        """Watch no more."""
        os.close(self._descriptor)
