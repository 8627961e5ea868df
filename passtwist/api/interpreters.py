"""Which interpreter runs an app, and which framework it would find.

Runs in: the controller, maybe as root.  Only names are looked at: what lies
in an app's virtualenv is the app's to write.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import TYPE_CHECKING

from passtwist.api.settings_kinds import quoted
from passtwist.errors import DetectionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VIRTUALENVS = (".venv", "venv")
# Read by an interpreter or its C library as it starts; a process that is
# forked from a shared framework spawner would not see them in time.
_EARLY = ("PYTHON", "LD_", "MALLOC_", "GLIBC_TUNABLES")
_HARMLESS = ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONIOENCODING")


def interpreter_for(root: str, setting: str) -> tuple[str, str]:
    """Absolute path of the app's interpreter, and why it is this one.

    Links are not resolved: the path by which a virtualenv's python is called
    is what makes it that virtualenv's.

    :param setting: a path, relative to *root* or absolute, or a command's
        name; "" for the virtualenv in *root*, else our own interpreter.
    :raises DetectionError: what the setting names does not exist.
    """
    if setting:
        return _from_setting(root, setting), "python is set"
    for folder in VIRTUALENVS:
        path = os.path.join(root, folder, "bin", "python")
        if os.path.lexists(path):
            return path, f"{folder} is a virtualenv in the app's folder"
    looked = " or ".join(VIRTUALENVS)
    return sys.executable, f"there is no {looked} in the app's folder, so our own"


def framework_place(python: str, distribution: str) -> tuple[str, str] | None:
    """Version and folder of *distribution* as *python* would find it.

    :returns: None when it isn't found; the version of the first hit else.
    """
    name = _spelling(distribution)
    # Debian's packages still come as egg-info.
    kind = r"(?:\.dist-info|(?:-py3[.0-9]*)?\.egg-info)"
    pattern = re.compile(rf"(?i){name}-([0-9][^-]*){kind}")
    for folder in library_folders(python):
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for entry in names:
            match = pattern.fullmatch(entry)
            if match and match[1].isprintable():
                return match[1], folder
    return None


def library_folders(python: str) -> Iterable[str]:
    """Where *python* keeps distributions, by the layout of its folders."""
    if os.path.abspath(python) == sys.executable:
        return [path for path in sys.path if path.endswith("-packages")]
    prefix = os.path.dirname(os.path.dirname(python))
    if not os.path.lexists(os.path.join(prefix, "pyvenv.cfg")):
        # Outside a virtualenv bin/python may be a link to another prefix.
        prefix = os.path.dirname(os.path.dirname(os.path.realpath(python)))
    found = []
    for base in (prefix, os.path.join(prefix, "local")):
        lib = os.path.join(base, "lib")
        try:
            names = sorted(os.listdir(lib), reverse=True)
        except OSError:
            continue
        for name in names:
            if re.fullmatch(r"python3(\.[0-9]+)?", name):
                found += [
                    os.path.join(lib, name, kind)
                    for kind in ("site-packages", "dist-packages")
                ]
    return found


def version_of(python: str) -> str:
    """Which Python *python* is, like ``3.13`` or ``3.13t``, by names alone.

    :returns: "" when the names do not tell.
    """
    if os.path.abspath(python) == sys.executable:
        threads = "t" if "t" in sys.abiflags else ""
        return f"{sys.version_info[0]}.{sys.version_info[1]}{threads}"
    prefix = os.path.dirname(os.path.dirname(python))
    pattern = re.compile(r"python(3\.[0-9]+t?)")
    if os.path.lexists(os.path.join(prefix, "pyvenv.cfg")):
        # The link in it may lead through others, as pyenv's and uv's do.
        try:
            names = os.listdir(os.path.join(prefix, "lib"))
        except OSError:
            return ""
    else:
        names = [os.path.basename(os.path.realpath(python))]
    found = {match[1] for match in map(pattern.fullmatch, names) if match}
    return found.pop() if len(found) == 1 else ""


def changes_start(env: Mapping[str, str]) -> str:
    """The first variable of *env* that an interpreter reads as it starts, or ""."""
    for name in sorted(env):
        if name.startswith(_EARLY) and name not in _HARMLESS:
            return name
    return ""


def _spelling(distribution: str) -> str:
    """A pattern for all spellings of a distribution's name (PEP 503)."""
    return "[-_.]+".join(map(re.escape, re.split(r"[-_.]+", distribution)))


def _from_setting(root: str, setting: str) -> str:
    if "/" not in setting:
        found = shutil.which(setting)
        if found is None:
            raise DetectionError(
                f"python: no command {quoted(setting)} is on the PATH; "
                "set python to the path of an interpreter"
            )
        return os.path.abspath(found)
    path = os.path.join(root, setting)
    if not os.path.lexists(path):
        raise DetectionError(
            f"python: {quoted(path)} does not exist; make the virtualenv or "
            "correct the path"
        )
    return path
