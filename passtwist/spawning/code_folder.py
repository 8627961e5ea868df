"""Fill RUNTIME_DIR/code with what the processes below the controller run.

Runs in: the controller, at start, and again if somebody has removed them.

They run it in the app's interpreter, where passtwist is not installed, and
maybe as a user who can't read our own tree; so the standard-library-only half
of the package is copied, with the child halves of the frameworks beside it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from passtwist.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGE = Path(__file__).resolve().parent.parent
MODULES = ("__init__.py", "errors.py", "model.py", "lifecycle.py", "masking.py")
PACKAGES = ("wire", "worker", "spawnserver")
BOOTSTRAP = "bootstrap.py"


def fill(code: Path, children: Mapping[str, str]) -> tuple[str, ...]:
    """Make the folder *code*.

    :param code: must not exist.
    :param children: file name in ``code/frameworks`` to the absolute path of
        a framework's child half.
    :returns: what is in it now, to be looked for later: somebody may tidy up.
    :raises StartupError: a child half can't be read.
    """
    target = code / "passtwist"
    target.mkdir(parents=True)
    for module in MODULES:
        shutil.copyfile(PACKAGE / module, target / module)
    for package in PACKAGES:
        (target / package).mkdir()
        for source in sorted((PACKAGE / package).glob("*.py")):
            shutil.copyfile(source, target / package / source.name)
    shutil.copyfile(PACKAGE / "spawnserver" / BOOTSTRAP, code / BOOTSTRAP)
    frameworks = code / "frameworks"
    frameworks.mkdir()
    for name, path in children.items():
        try:
            shutil.copyfile(path, frameworks / name)
        except OSError as error:
            raise StartupError(
                f"child half {path} of a framework plugin: {error.strerror}"
            ) from error
    # Whatever the umask (a daemon's is 077): the app's user must read it, and
    # nobody but us may write.
    entries = (code, *code.rglob("*"))
    for entry in entries:
        entry.chmod(0o755 if entry.is_dir() else 0o644)
    return tuple(map(str, entries))
