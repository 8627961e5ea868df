"""A framework's child half, looked at as an app's process would load it.

Runs in: tests; what it prints comes from a bare interpreter.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from passtwist.spawning import code_folder
from passtwist.testing.waiting import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

# The functions of a child half, and how many arguments each is called with.
FUNCTIONS = {
    "preload": 1,
    "load": 1,
    "warm": 2,
    "before_fork": 1,
    "after_fork": 2,
    "serve": 3,
}

_LOOK = """
import importlib.util, inspect, json, sys
code, path = sys.argv[1:]
sys.path.insert(0, code)
spec = importlib.util.spec_from_file_location("child_half", path)
module = importlib.util.module_from_spec(spec)
sys.modules["child_half"] = module
spec.loader.exec_module(module)
found = {}
for name, one in vars(module).items():
    if inspect.isfunction(one) and one.__module__ == "child_half":
        found[name] = len(inspect.signature(one).parameters)
print(json.dumps(found))
"""


def functions_of(child: str, python: str, folder: Path) -> dict[str, int]:
    """The functions that a child half defines, each with its number of arguments.

    It is imported by *python* without any packages, beside nothing but what
    passtwist copies for the processes of apps.

    :param folder: an empty one, for that copy.
    :raises AssertionError: it can't be imported; the message says why.
    """
    code = folder / "code"
    code_folder.fill(code, {"child.py": child})
    copied = code / "frameworks" / "child.py"
    ended = subprocess.run(
        [python, "-I", "-S", "-W", "error", "-c", _LOOK, str(code), str(copied)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, f"{python} can't import it:\n{ended.stderr}"
    found: dict[str, int] = json.loads(ended.stdout)
    return found
