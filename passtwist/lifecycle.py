"""What app authors import to be told of their processes' life.

Runs in: app spawners and workers, and harmlessly anywhere else.  Imports
nothing of ours.

    from passtwist.lifecycle import on

    @on("after_fork")
    def reconnect() -> None:
        pool.open()

Without the server the functions are remembered and never called.
"""

from __future__ import annotations

from typing import Callable, Dict, List, TypeVar

# What can be listened to, and when it comes.
EVENTS = {
    "before_fork": "in the app spawner, once, when the app is loaded and warm",
    "after_fork": "in each worker that was forked from an app spawner, first thing",
    "worker_started": "in each worker, however it was started, before it serves",
    "worker_stopping": "in each worker that leaves in peace, before atexit",
}

Listener = Callable[[], object]
_Function = TypeVar("_Function", bound=Listener)

_listeners: Dict[str, List[Listener]] = {}


def on(event: str) -> Callable[[_Function], _Function]:
    """Decorate a function of no arguments to be called at *event*.

    Functions for the same event are called in the order of registration.  One
    that raises fails the spawn (`before_fork`, `after_fork`,
    `worker_started`) or is logged (`worker_stopping`).

    :raises ValueError: there is no such event; the message names those there are.
    """
    if event not in EVENTS:
        raise ValueError(
            "no lifecycle event %r; there are: %s" % (event, ", ".join(EVENTS))
        )

    def register(function: _Function) -> _Function:
        _listeners.setdefault(event, []).append(function)
        return function

    return register


def listeners(event: str) -> List[Listener]:
    """The functions registered for *event*, in order."""
    return list(_listeners.get(event, ()))
