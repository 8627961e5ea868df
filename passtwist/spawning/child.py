"""A verified child process, watched and signalled through its pidfd.

Runs in: the controller.

A reported pid is believed only after `waitid` on its pidfd has said that it
is our own child and its uid is the expected one.  Until it is reaped its
number can't be given to another process, so signals can't go astray.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from passtwist.api.selectable import Selectable
from passtwist.model import ExitStatus

if TYPE_CHECKING:
    from passtwist.api.reactors import Reactor


class NotOurChild(Exception):
    """The pid is no child of ours, or has another user."""


def uids_of(pid: int) -> set[int]:
    """Real, effective, saved and file system uid; none when it is gone.

    The owner of its folder in /proc is the effective one alone, from which there
    may be a way back.
    """
    try:
        with open(f"/proc/{pid}/status", "rb") as status:
            for line in status:
                if line.startswith(b"Uid:"):
                    return set(map(int, line.split()[1:]))
    except OSError:
        pass
    return set()


class Child(Selectable):
    """One child process, from adoption until reaped.

    :raises NotOurChild: *pid* is not to be believed.
    """

    def __init__(self, reactor: Reactor, pid: int, uid: int) -> None:
        try:
            descriptor = os.pidfd_open(pid)
        except (OSError, OverflowError, ValueError) as error:
            raise NotOurChild(f"pid {pid}: {error}") from None
        super().__init__(reactor, descriptor)
        self.pid = pid
        self.exit_status: ExitStatus | None = None
        self._waiting: list[Deferred[ExitStatus]] = []
        try:
            self._verify(uid)
        except NotOurChild:
            os.close(descriptor)
            raise
        reactor.addReader(self)

    def when_exited(self) -> Deferred[ExitStatus]:
        """Fires with the exit status once reaped; never errbacks."""
        waiting: Deferred[ExitStatus] = Deferred()
        if self.exit_status is not None:
            waiting.callback(self.exit_status)
        else:
            self._waiting.append(waiting)
        return waiting

    def terminate(self) -> None:
        """SIGTERM to the process; nothing when it is gone."""
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the process and its group; nothing when it is gone."""
        if self.exit_status is not None:
            return
        try:
            # It leads its own session and group (setsid), unless it was ended
            # before it came to that.
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, signal.SIGKILL)
        except OSError:
            pass
        self.signal(signal.SIGKILL)

    def reap(self) -> bool:
        """Take the exit status if there is one; True when the child is gone."""
        if self.exit_status is not None:
            return True
        result = os.waitid(os.P_PIDFD, self._descriptor, os.WEXITED | os.WNOHANG)
        if result is None:
            return False
        if result.si_code == os.CLD_EXITED:
            self.exit_status = ExitStatus(code=result.si_status)
        else:
            self.exit_status = ExitStatus(signal=result.si_status)
        self.unwatch()
        os.close(self._descriptor)
        self._descriptor = -1
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(self.exit_status)
        return True

    def doRead(self) -> None:
        """The pidfd is readable: the process has ended."""
        self.reap()

    def _verify(self, uid: int) -> None:
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        try:
            os.waitid(os.P_PIDFD, self._descriptor, flags)
        except ChildProcessError:
            raise NotOurChild(f"pid {self.pid} is not our child") from None
        actual = uids_of(self.pid)
        if actual and actual != {uid}:
            found = ", ".join(map(str, sorted(actual)))
            raise NotOurChild(f"pid {self.pid} runs as user {found}, not {uid}")

    def signal(self, number: signal.Signals) -> None:
        """A signal to the process; nothing when it is gone."""
        if self.exit_status is None:
            try:
                signal.pidfd_send_signal(self._descriptor, number)
            except OSError:
                pass


class Children:
    """The children that we wait for, so that nobody else reaps them."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._pids: set[int] = set()

    def __contains__(self, pid: int) -> bool:
        return pid in self._pids

    def adopt(self, pid: int, uid: int) -> Child:
        """Begin to wait for a child.

        :param uid: its user; less than 0: our own.
        :raises NotOurChild: it is none, or runs as another user than *uid*, or
            is somebody else already: an app that gave the pid of another's
            worker for its own could have that killed.
        """
        if pid in self._pids:
            raise NotOurChild(f"pid {pid} is known as another process")
        child = Child(self._reactor, pid, uid if uid >= 0 else os.geteuid())
        self._pids.add(pid)

        def exited(status: ExitStatus) -> ExitStatus:
            self._pids.discard(pid)
            return status

        child.when_exited().addCallback(exited)
        return child
