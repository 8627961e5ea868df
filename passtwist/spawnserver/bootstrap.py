"""The first code of every process that the spawn server starts by exec.

Runs in: the manager, spawners and fresh workers, as ``python bootstrap.py
ROLE``, from its copy in RUNTIME_DIR/code beside the copy of the package.

The interpreter has put that folder first on `sys.path`; it is removed before
anything is imported, because a module of ours must not shadow one of the
standard library or of the app.  The package is loaded by its place instead.
"""

from __future__ import annotations

import sys


def start(role: str) -> None:
    """Load the package that lies beside this file and become *role*."""
    # With -I, -P or PYTHONSAFEPATH the folder was not put there.
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        del sys.path[0]
    import importlib.util

    code = __file__.rpartition("/")[0]
    spec = importlib.util.spec_from_file_location(
        "passtwist",
        code + "/passtwist/__init__.py",
        submodule_search_locations=[code + "/passtwist"],
    )
    if spec is None or spec.loader is None:
        raise SystemExit("passtwist: no package beside " + __file__)
    package = importlib.util.module_from_spec(spec)
    sys.modules["passtwist"] = package
    spec.loader.exec_module(package)
    # What the app sees: nothing of ours for it to interpret.
    sys.argv = ["passtwist"]

    from passtwist.spawnserver import roles

    roles.run(role, code)


if __name__ == "__main__":
    start(sys.argv[1])
