"""Try in a forked copy of a loaded app what every worker does.

Runs in: app spawners, before their first worker, and the copy.

What the audit can't see: locks and state of C libraries that a fork leaves in
disorder.  The copy is not the worker: the names that are resolved and the
threads that are started here would cost each worker's memory, and a copy that
hangs is to be told of before anybody waits for it.
"""

from __future__ import annotations

import importlib
import socket
import sys
import threading
from typing import Callable, List, Optional, Tuple

from passtwist.model import Finding
from passtwist.spawnserver.trial import LIMIT, Say, try_fork
from passtwist.worker.process import flush_streams

_DONE = "done"
_RAISED = "raised "


def run() -> Optional[Finding]:
    """The finding, or None when all went well.

    :raises OSError: the operating system refused to fork.
    """
    finding = _once()
    if finding is not None and _RAISED not in finding.text:
        # A machine under load is slow at times; a lock that nobody releases is
        # not released for a second copy either.
        finding = _once()
    return finding


def _once() -> Optional[Finding]:
    said = try_fork(_test).splitlines()
    if said[-1:] == [_DONE]:
        return None
    steps = [line for line in said if not line.startswith(_RAISED)]
    step = steps[-1] if steps else "fork"
    how = "hung for %g s or ended the copy" % LIMIT
    if said and said[-1].startswith(_RAISED):
        how = said[-1]
    return Finding(
        "self-test:" + step,
        "a forked copy of the app was tested, and the step %r %s" % (step, how),
        hint="A lock or a library that is in use when the app is loaded does not "
        "survive the fork.",
    )


def _test(say: Say) -> None:
    for name, step in _STEPS:
        say(name)
        try:
            step()
        except Exception as error:  # noqa: BLE001 - answered
            # Whatever it is, the fork's outcome is not as it should be.
            say(_RAISED + type(error).__name__ + ": " + " ".join(str(error).split()))
            return
    say(_DONE)


def _import() -> None:
    # Takes the lock of all imports, and finds nothing.
    try:
        importlib.import_module("passtwist_has_no_such_module")
    except ImportError:
        pass


def _log() -> None:
    """Take each lock of the loggers, and write nothing."""
    logging = sys.modules.get("logging")
    if logging is None:
        return
    lock = getattr(logging, "_lock", None)
    handlers = [one() for one in list(getattr(logging, "_handlerList", ()))]
    for each in (lock, *(getattr(handler, "lock", None) for handler in handlers)):
        if each is not None:
            with each:
                pass


def _resolve() -> None:
    try:
        socket.getaddrinfo(b"localhost", 80, type=socket.SOCK_STREAM)
    except OSError:
        pass  # nobody has said that the name is known here


def _thread() -> None:
    ran: List[bool] = []
    thread = threading.Thread(target=ran.append, args=(True,))
    try:
        thread.start()
    except RuntimeError:
        return  # no more threads for this user, forked or not
    thread.join()


def _tls() -> None:
    ssl = sys.modules.get("ssl")
    if ssl is not None:
        ssl.RAND_bytes(16)
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


_STEPS: Tuple[Tuple[str, Callable[[], None]], ...] = (
    ("streams", flush_streams),
    ("import", _import),
    ("logging", _log),
    ("resolve", _resolve),
    ("thread", _thread),
    ("tls", _tls),
)
