"""Wait until what a test left has gone, as far as it goes by itself.

Runs in: test processes.  Transports close in the reactor turn after
`loseConnection`, and sockets in reference cycles with the next collection;
neither is a leak.
"""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any

from passtwist.testing.leftovers import Snapshot

if TYPE_CHECKING:
    from passtwist.testing.leftovers import Leftovers

PATIENCE = 0.5  # seconds; spent only by a test that is about to fail
TURN = 0.01


def settle(before: Snapshot, turn_reactor: bool) -> Leftovers:
    """What is left since *before*, after what goes by itself has gone.

    :param turn_reactor: pytest-twisted runs the reactor, so it can be turned.
    """
    left = Snapshot.take().since(before)
    if not left:
        return left
    gc.collect()
    left = Snapshot.take().since(before)
    deadline = time.monotonic() + PATIENCE
    while left and time.monotonic() < deadline:
        if turn_reactor:
            turn(TURN)
        else:
            time.sleep(TURN)
        left = Snapshot.take().since(before)
    return left


def start_reactor() -> None:
    """Have pytest-twisted's reactor run, with what it opens once and for all.

    That is: its waker and signal pipes, and the descriptor that Twisted opens
    with the first port so as to have one to spare when there are no others.
    They are no leftovers of whichever test happens to come first.
    """
    from twisted.internet import protocol, reactor

    network: Any = reactor
    port = network.listenTCP(0, protocol.Factory(), interface="127.0.0.1")
    port.stopListening()
    turn(0.0)


def turn(seconds: float) -> None:
    """Let pytest-twisted's reactor run for *seconds*."""
    import pytest_twisted
    from twisted.internet import reactor, task

    # The module's type is that of the reactor which is installed at run time.
    clock: Any = reactor
    pytest_twisted.blockon(task.deferLater(clock, seconds))
