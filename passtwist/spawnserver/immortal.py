"""Make the loaded heap immortal, so that using it writes nothing into it.

Runs in: app and framework spawners of apps with ``freeze = "immortal"``.

A reference count lies in the object, and who merely uses the object writes
it: the page is copied.  CPython 3.12 and later leave the count of an object
alone whose count has a certain value (PEP 683).  This module gives that value
to whatever the interpreter holds.  There is no interface for it, so the field
is written where object.h says that it is; 3.14 has another layout, and rules
of its own for borrowed references.  See docs/explanation/memory.md.
"""

from __future__ import annotations

import gc
import sys
import types
from typing import Any, List

VERSIONS = ((3, 12), (3, 13))

# _Py_IMMORTAL_REFCNT of 64-bit builds, in object.h of 3.12 and 3.13: UINT_MAX.
IMMORTAL = 0xFFFF_FFFF
# _Py_IsImmortal: the lower half is negative as a signed number.  An extension
# for older versions may have counted an immortal object down a little.
_FROM = 0x8000_0000

# What runs, or may run on, belongs to the process that runs it.
_LEFT_OUT = (
    types.FrameType,
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
)

_OF_CODE = (
    "co_consts",
    "co_names",
    "co_name",
    "co_qualname",
    "co_filename",
    "co_linetable",
    "co_exceptiontable",
)

# Objects at a time: what they hold is many times as much.
CHUNK = 2000


class Unsupported(ValueError):
    """This interpreter has no immortal objects, or not such as we know."""


def check() -> None:
    """Refuse an interpreter for which this was not written.

    :raises Unsupported: says what it is and what would be right.
    """
    flags = getattr(sys, "abiflags", "")
    if sys.implementation.name != "cpython" or sys.version_info[:2] not in VERSIONS:
        name = sys.implementation.name.replace("cpython", "CPython")
        raise _unsupported("%s %d.%d" % (name, *sys.version_info[:2]))
    if "t" in flags:
        raise _unsupported("a free-threaded build")
    if "d" in flags or hasattr(sys, "gettotalrefcount"):
        raise _unsupported("a debug build")
    if sys.maxsize < 2**32:
        raise _unsupported("a 32-bit build")
    try:
        _try_one()
    except ImportError as error:
        raise _unsupported("built without ctypes (%s)" % error) from None


def _unsupported(what: str) -> Unsupported:
    return Unsupported(
        'freeze = "immortal" needs CPython 3.12 or 3.13 with a GIL; %s is %s; '
        'use freeze = "gc" or another interpreter' % (sys.executable, what)
    )


def _try_one() -> None:
    """Do it to one object, and see that the interpreter agrees."""
    # Here and below: an app that does not ask for it has no ctypes of ours.
    import ctypes

    probe = object()
    field = ctypes.c_ssize_t.from_address(id(probe))
    # getrefcount() counts its own argument.
    if field.value != sys.getrefcount(probe) - 1:
        raise _unsupported("built with another layout of objects")
    field.value = IMMORTAL
    kept = [probe, probe]
    if sys.getrefcount(kept.pop()) != IMMORTAL:
        raise _unsupported("built without immortal objects")


def immortalise() -> int:
    """Make all that can be reached immortal; `check` was satisfied before.

    The collector lists all containers but those that hold nothing that could
    be part of a cycle; those, and what is no container, are reached from them.

    :returns: how many objects were made so.
    """
    # Those that were frozen before are not listed else.  Nothing is written to
    # them by this, but to the ends of the list that they are in.
    gc.unfreeze()
    found: List[Any] = gc.get_objects()
    made = 0
    while found:
        taken = [each for each in found[-CHUNK:] if type(each) not in _LEFT_OUT]
        del found[-CHUNK:]
        made += _mark(taken)
        found += _behind(taken)
    return made


def _mark(objects: List[Any]) -> int:
    import ctypes

    field, count = ctypes.c_ssize_t.from_address, sys.getrefcount
    made = 0
    for each in objects:
        if count(each) < _FROM:
            field(id(each)).value = IMMORTAL
            made += 1
    return made


def _behind(objects: List[Any]) -> List[Any]:
    """What *objects* hold that is mortal and that the collector does not list.

    It can't look into code objects, which hold the most used objects of all.
    """
    is_listed, count = gc.is_tracked, sys.getrefcount
    held = gc.get_referents(*objects)
    for each in objects:
        if type(each) is types.CodeType:
            held += [getattr(each, name) for name in _OF_CODE]
    return [each for each in held if count(each) < _FROM and not is_listed(each)]
