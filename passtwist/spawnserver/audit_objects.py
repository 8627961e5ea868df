"""Who owns it: objects of Python behind what the kernel shows.

Runs in: app spawners, only when something was found.

Attributes of the app's objects are not asked for: that can run code of theirs,
and a lazy one would be made by it.
"""

from __future__ import annotations

import ast
import gc
import sys
from types import ModuleType
from typing import Any, Dict, Iterator, Tuple

from passtwist.spawnserver.places import is_standard


def globals_of_apps() -> Iterator[Tuple[ModuleType, str, Any]]:
    """Module, name and value of every global that is not the standard library's."""
    for module in list(sys.modules.values()):
        if issubclass(type(module), ModuleType):
            file = vars(module).get("__file__")
            if isinstance(file, str) and not is_standard(file):
                for variable, value in list(vars(module).items()):
                    yield module, variable, value


def owner(number: int) -> str:
    """``FILE:LINE`` of the global that holds descriptor *number*; "" for none."""
    for module, name, value in globals_of_apps():
        if _has(value, "fileno") and _descriptor(value) == number:
            return assignment(module, name)
    return ""


def assignment(module: ModuleType, name: str) -> str:
    """``FILE:LINE`` where *module* sets its global *name*; only FILE if it is not
    plain to see."""
    file = str(vars(module).get("__file__"))
    try:
        with open(file, "rb") as source:
            tree = ast.parse(source.read())
    except (OSError, SyntaxError, ValueError):
        return file
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Name)
            and node.id == name
            and isinstance(node.ctx, ast.Store)
        ):
            return "%s:%d" % (file, node.lineno)
    return file


def sockets_of_loops() -> Dict[int, int]:
    """Descriptors of the sockets by which asyncio's loops wake themselves up, to
    the descriptor on which the loop waits."""
    events = sys.modules.get("asyncio.selector_events")
    kind = getattr(events, "BaseSelectorEventLoop", None)
    found: Dict[int, int] = {}
    if kind is None:
        return found
    for thing in gc.get_objects():
        if issubclass(type(thing), kind):
            waits_on = _descriptor(vars(thing).get("_selector"))
            for end in ("_ssock", "_csock"):
                number = _descriptor(vars(thing).get(end))
                if number >= 0:
                    found[number] = waits_on
    return found


def _has(value: object, method: str) -> bool:
    """Whether its class has the method; a proxy is not asked for its target's."""
    # isinstance() would ask the value itself for its class.
    kind = type(value)
    return not issubclass(kind, type) and any(method in vars(c) for c in kind.__mro__)


def _descriptor(value: Any) -> int:
    """Of an object with `fileno`; -1 when it has none now."""
    try:
        number = value.fileno()
    except Exception:  # noqa: BLE001 - answered: it is closed, or no file at all
        return -1
    return number if isinstance(number, int) else -1
