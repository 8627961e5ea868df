"""Find the object that an app's entry names.

Runs in: app spawners and workers that load their app.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from types import ModuleType
from typing import Any, List, Tuple

# Tried in this order when an entry names a module alone.
USUAL_NAMES = ("application", "app")


class BadEntry(Exception):
    """An entry names nothing.

    :ivar advice: what would be right.
    """

    def __init__(self, problem: str, advice: str = "") -> None:
        self.advice = advice
        super().__init__(problem)


def parse(text: str) -> Tuple[str, str, bool]:
    """Module or file, attribute ("" for none), and whether it is a factory.

    :raises BadEntry: nothing before the colon.
    """
    place, _, attribute = text.partition(":")
    is_factory = attribute.endswith("()")
    if is_factory:
        attribute = attribute[:-2]
    if not place:
        raise BadEntry(
            "entry %r names no module" % text,
            'An entry is like "shop.wsgi:application" or "wsgi.py:app".',
        )
    return place, attribute, is_factory


def resolve(text: str, root: str) -> Any:
    """The object that entry *text* of the app in *root* names.

    :raises BadEntry: no such attribute, or what it names can't be called.
    :raises Exception: whatever importing it, or a factory, raises.
    """
    place, attribute, is_factory = parse(text)
    if place.endswith(".py") or "/" in place:
        module = _import_file(place, root)
    else:
        module = importlib.import_module(place)
    found = _attribute(module, place, attribute)
    if is_factory:
        return found()
    if not callable(found):
        raise BadEntry(
            "%s of %s is %s, which can't be called"
            % (attribute or "application", place, type(found).__name__),
            "An entry names a WSGI callable, or a factory with () behind it.",
        )
    return found


def _import_file(place: str, root: str) -> ModuleType:
    path = os.path.join(root, place)
    name = os.path.splitext(os.path.basename(place))[0]
    if name in sys.modules:
        # A file named like a module of the standard library, say; others must
        # go on seeing theirs.
        name = "passtwist_entry_" + name
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise BadEntry("%s is not a Python file" % path)
    module = importlib.util.module_from_spec(found)
    # As an import does: the module can import itself, and classes in it can be
    # pickled.
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _attribute(module: ModuleType, place: str, attribute: str) -> Any:
    if not attribute:
        for name in USUAL_NAMES:
            if hasattr(module, name):
                return getattr(module, name)
        raise BadEntry(
            "%s has neither %s" % (place, " nor ".join(USUAL_NAMES)),
            _what_there_is(module, place),
        )
    found: Any = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise BadEntry(
                "%s has no attribute %r" % (place, attribute),
                _what_there_is(module, place),
            ) from None
    return found


def _what_there_is(module: ModuleType, place: str) -> str:
    names = _callables(module)
    if not names:
        return "Nothing in %s can be called." % place
    return "What can be called in %s: %s." % (place, ", ".join(names[:20]))


def _callables(module: ModuleType) -> List[str]:
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and callable(value)
    )
