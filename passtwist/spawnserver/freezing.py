"""Put the loaded heap where nobody writes.

Runs in: framework and app spawners, and workers that load their app.
"""

from __future__ import annotations

import gc

from passtwist.spawnserver import holes, immortal

OFF = "off"
GC = "gc"
IMMORTAL = "immortal"
KINDS = (GC, OFF, IMMORTAL)


def check(kind: str) -> None:
    """Refuse what this interpreter can't do, before the app is loaded.

    :raises ValueError: *kind* is not one of KINDS, or not possible here.
    """
    if kind not in KINDS:
        raise ValueError(
            "freeze = %r is not supported; there are: %s" % (kind, ", ".join(KINDS))
        )
    if kind == IMMORTAL:
        immortal.check()


def freeze(kind: str) -> None:
    """Collect what is garbage, then freeze what is left, once.

    In that order: garbage that is frozen is never freed.  After `gc.freeze` no
    collection of a worker writes to the header of an object that was loaded
    here, and to an immortal one nobody writes by using it: their pages stay
    shared.
    """
    if kind == OFF:
        return
    gc.collect()
    if kind == IMMORTAL:
        immortal.immortalise()
    gc.freeze()
    holes.fill()
    # Of nothing: a full collection is put off until a quarter as much is new
    # as the last one has looked at, and that was all that is frozen now.
    gc.collect()


def freeze_framework(kind: str) -> None:
    """As `freeze`, where it is frozen for apps that differ in the rest.

    An app with ``freeze = "off"`` has its own objects in mind.
    """
    freeze(GC if kind == OFF else kind)


def freeze_alone(kind: str) -> None:
    """As `freeze`, in a process that will not be forked.

    Nothing is shared there, so immortal objects would gain nothing and never
    be freed; but what is loaded for good need not be looked at by every
    collection.
    """
    if kind != OFF:
        gc.collect()
        gc.freeze()
