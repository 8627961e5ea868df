"""Fill RUNTIME_DIR/code with what the processes below the controller run.

Runs in: the controller, at start, and again if somebody has removed them.

They run it in the app's interpreter, where passtwist is not installed, and
maybe as a user who can't read our own tree; so the standard-library-only half
of the package is copied, with the child halves of the frameworks beside it.
What our interpreter has compiled of it is copied, too: each process would else
compile it anew, as another user's can't keep what it has compiled.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from importlib.util import cache_from_source
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
        _copy(PACKAGE / module, target / module)
    for package in PACKAGES:
        (target / package).mkdir()
        for source in sorted((PACKAGE / package).glob("*.py")):
            _copy(source, target / package / source.name)
    shutil.copyfile(PACKAGE / "spawnserver" / BOOTSTRAP, code / BOOTSTRAP)
    frameworks = code / "frameworks"
    frameworks.mkdir()
    for name, path in children.items():
        try:
            _copy(Path(path), frameworks / name)
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


def _copy(source: Path, target: Path) -> None:
    """A module, and what our own interpreter has compiled of it, if there is that.

    :raises OSError: the module can't be read.
    """
    shutil.copyfile(source, target)
    # By that time, and by the size, Python sees that what is compiled is valid.
    changed = source.stat().st_mtime_ns
    os.utime(target, ns=(target.stat().st_atime_ns, changed))
    compiled = Path(cache_from_source(str(target)))
    with contextlib.suppress(OSError):
        compiled.parent.mkdir(exist_ok=True)
        shutil.copyfile(cache_from_source(str(source)), compiled)
