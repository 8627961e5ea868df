"""The controller as child subreaper, and the silent reaping of orphans.

Runs in: the controller.

Workers are forked twice so that they become our children; so does everything
else below us whose parent dies (spawners after their manager, helpers that an
app daemonised).  Those nobody waits for: they are reaped here.
"""

from __future__ import annotations

import ctypes
import os
import signal
from functools import partial
from typing import TYPE_CHECKING, cast

from twisted.internet import process
from twisted.internet.task import LoopingCall

from passtwist.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.internet.interfaces import IReactorTime

    from passtwist.api.reactors import Reactor

PR_SET_CHILD_SUBREAPER = 36
SWEEP_EVERY = 1.0  # seconds; an orphan's zombie costs nothing but its number


def set_subreaper(on: bool) -> None:
    """Become, or cease to be, the reaper of our descendants' orphans.

    Per process and not inherited: to be called after daemonizing.

    :raises StartupError: the kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise StartupError(f"prctl(PR_SET_CHILD_SUBREAPER): {os.strerror(code)}")


def reap_orphans(
    is_waited_for: Callable[[int], bool],
    is_spawner: Callable[[int], bool] = lambda _: False,
) -> None:
    """Reap zombies that came to us when their parents died.

    :param is_waited_for: true for pids that somebody else reaps.
    :param is_spawner: true for pids of spawners; what their apps have forked ends
        with them, as if the layer above had lived to see to it.

    All that is ours below us starts a session of its own, so an orphan's
    session is never the controller's, while what Twisted or a plugin starts
    (and waits for) usually shares it.  Workers and the manager are reaped
    through their pidfds; one of them at the head of the line is left for
    that, and the rest for the next sweep.
    """
    ours = os.getsid(0)
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None or found.si_pid in process.reapProcessHandlers:
            return
        try:
            if os.getsid(found.si_pid) == ours or is_waited_for(found.si_pid):
                return
            if is_spawner(found.si_pid) and os.getpgid(found.si_pid) == found.si_pid:
                # Not reaped yet, so the number is nobody else's.
                os.killpg(found.si_pid, signal.SIGKILL)
            os.waitid(os.P_PID, found.si_pid, os.WEXITED | os.WNOHANG)
        except (ProcessLookupError, ChildProcessError):
            continue


class OrphanReaper:
    """Sweeps once a second while started."""

    def __init__(
        self,
        reactor: Reactor,
        is_waited_for: Callable[[int], bool],
        is_spawner: Callable[[int], bool],
    ) -> None:
        self._sweep = partial(reap_orphans, is_waited_for, is_spawner)
        self._loop = LoopingCall(self._sweep)
        self._loop.clock = cast("IReactorTime", reactor)

    def start(self) -> None:
        """Become the subreaper and begin."""
        set_subreaper(True)
        self._loop.start(SWEEP_EVERY, now=False)

    def stop(self) -> None:
        """Sweep once more and cease.  Harmless when not started."""
        if self._loop.running:
            self._loop.stop()
            self._sweep()
            set_subreaper(False)
