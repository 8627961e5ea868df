"""Put the loaded heap where the garbage collector does not write.

Runs in: app spawners, and workers that load their app.
"""

from __future__ import annotations

import gc

KINDS = ("gc", "off")


def check(kind: str) -> None:
    """Refuse what this version can't do, before the app is loaded.

    :raises ValueError: *kind* is not one of KINDS.
    """
    if kind not in KINDS:
        raise ValueError(
            "freeze = %r is not supported; there are: %s" % (kind, ", ".join(KINDS))
        )


def freeze(kind: str) -> None:
    """Collect what is garbage, then freeze what is left, once.

    In that order: garbage that is frozen is never freed.  After `gc.freeze` no
    collection of a worker writes to the header of an object that was loaded
    here, so those pages stay shared.
    """
    if kind == "off":
        return
    gc.collect()
    gc.freeze()
