"""The spawn manager as a process: started, talked to, replaced when it dies.

Runs in: the controller.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from passtwist.api.descriptor_limit import restore_limit
from passtwist.model import MANAGER
from passtwist.spawning.channel import ControlChannel
from passtwist.spawning.child import NotOurChild
from passtwist.spawning.code_folder import BOOTSTRAP
from passtwist.spawning.descriptors import duplicate
from passtwist.spawning.output import Output
from passtwist.wire.control import Message, spawn_request_to_body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from twisted.internet.interfaces import IDelayedCall

    from passtwist.api.reactors import Reactor
    from passtwist.model import ExitStatus, SpawnRequest
    from passtwist.spawning.child import Child, Children

# Descriptors of the manager, as its bootstrap expects them.
CONTROL_FD = 3
LIFELINE_FD = 4

# A manager that dies is replaced at once; but after three that died within
# their first second there are pauses, so that one that can't run at all does
# not become a busy loop.
HEALTHY_AFTER = 1.0  # seconds
QUICK_DEATHS = 3
# Spawns wait for the successor of a manager; after so many deaths they don't.
HOPELESS_DEATHS = 10
RESTART_PAUSE = 1.0  # seconds
# Somebody's SIGKILL, or the kernel's that is short of memory, does not say that
# it can't run: the next is started soon, however often that happens.
PAUSE_AFTER_KILL = 0.1  # seconds


class SpawnManager:
    """Keeps one spawn manager running.

    :param code: RUNTIME_DIR/code, filled.
    :param on_notice: told of each message that the manager sends.
    """

    log = Logger(namespace="passtwist.spawning")

    def __init__(
        self,
        reactor: Reactor,
        children: Children,
        code: Path,
        on_notice: Callable[[Message], None],
        python: str = sys.executable,
    ) -> None:
        self._reactor = reactor
        self._children = children
        self._code = code
        self._on_notice = on_notice
        self._python = python
        self._child: Child | None = None
        self._channel: ControlChannel | None = None
        self._lifeline = -1
        self._output: Output | None = None
        self._started_at = 0.0
        self._quick_deaths = 0
        self._pause: IDelayedCall | None = None
        self._for_successor: list[tuple[dict[str, object], dict[str, int]]] = []
        self._stopping = False

    @property
    def pid(self) -> int:
        """Pid of the running manager, 0 when there is none."""
        return 0 if self._child is None else self._child.pid

    def start(self) -> None:
        """Start it.

        :raises OSError: the operating system refused.
        """
        self._stopping = False
        self._started_at = self._reactor.seconds()
        with ExitStack() as theirs, ExitStack() as ours:
            channel, their_channel = socket.socketpair()
            ours.callback(channel.close)
            theirs.callback(their_channel.close)
            lifeline_read, lifeline = _pipe(theirs, ours)
            output, output_write = _pipe(ours, theirs)
            pid = self._execute(their_channel.fileno(), lifeline_read, output_write)
            try:
                self._child = self._children.adopt(pid, os.geteuid())
            except NotOurChild as error:
                # Out of descriptors.  It ends by the closing of its channel.
                raise OSError(str(error)) from error
            ours.pop_all()
        channel.setblocking(False)
        os.set_blocking(output, False)
        self._lifeline = lifeline
        self._output = Output(self._reactor, output, "-", MANAGER)
        self._output.pid = pid
        self._child.when_exited().addCallback(self._exited, self._child)
        self._channel = ControlChannel(
            self._reactor, channel, self._on_notice, self._lost
        )
        self.log.info("spawn manager started, pid {pid}", pid=pid)
        waiting, self._for_successor = self._for_successor, []
        for body, fds in waiting:
            self._channel.send("spawn", body, fds)
            _close_all(fds)

    def stop(self) -> Deferred[None]:
        """End it, for good; workers go on.  Fires when it is reaped."""
        self._stopping = True
        self._drop_waiting()
        gone: Deferred[None] = Deferred()
        if self._child is None:
            gone.callback(None)
        else:
            self._child.when_exited().addCallback(lambda _: gone.callback(None))
        self._release()
        return gone

    def kill(self) -> None:
        """End one that hangs; another is started at once."""
        if self._channel is not None:
            # What is sent from now on is for the other one.
            self._channel.close()
            self._lost()

    def ensure_alive(self) -> None:
        """Notice a death that the reactor has not told us of yet."""
        if self._child is not None:
            self._child.reap()

    def spawn(self, request: SpawnRequest, fds: Mapping[str, int]) -> None:
        """Send a spawn down; what becomes of it is told by its handshake.

        :raises OSError: there is no manager at the moment (ConnectionError), or
            no descriptors are left.
        """
        self.ensure_alive()
        if self._quick_deaths >= HOPELESS_DEATHS:
            raise ConnectionError("the spawn manager keeps dying; see the log")
        body = spawn_request_to_body(request)
        if self._channel is None or not self._channel.send("spawn", body, fds):
            # It is dying: its successor, which starts when it is reaped, gets it.
            self._for_successor.append((body, duplicate(fds)))

    def retire(
        self, app: str, below: int | None = None, since: int | None = None
    ) -> None:
        """End the app spawners of *app*; without a manager there are none.

        :param below: only those of generations before this one.
        :param since: only those of this generation and later ones.
        """
        if self._channel is not None:
            limits = {"below": below, "since": since}
            given = {key: value for key, value in limits.items() if value is not None}
            self._channel.send("retire", {"app": app, **given}, {})

    def _execute(self, control: int, lifeline: int, output: int) -> int:
        """posix_spawn: cheap however large the controller has become."""
        with ExitStack() as open_ones:
            null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            open_ones.callback(os.close, null)
            high = []
            for descriptor in (null, output, control, lifeline):
                # Out of the way of the numbers that they are to get.
                high.append(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 16))
                open_ones.callback(os.close, high[-1])
            null_high, output_high, control_high, lifeline_high = high
            pid = os.posix_spawn(
                self._python,
                # Isolated, without site: nothing but the standard library.
                [
                    self._python,
                    "-I",
                    "-S",
                    str(self._code / BOOTSTRAP),
                    "manager",
                ],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, null_high, 0),
                    (os.POSIX_SPAWN_DUP2, output_high, 1),
                    (os.POSIX_SPAWN_DUP2, output_high, 2),
                    (os.POSIX_SPAWN_DUP2, control_high, CONTROL_FD),
                    (os.POSIX_SPAWN_DUP2, lifeline_high, LIFELINE_FD),
                ],
                setsid=True,
            )
            # In time: it starts nothing before it is told to.
            restore_limit(pid)
            return pid

    def _lost(self) -> None:
        """The channel broke: it died, or spoke nonsense and must die."""
        self._channel = None
        if self._child is not None:
            self._child.kill()

    def _exited(self, status: ExitStatus, child: Child) -> None:
        if child is not self._child:
            return
        self._release()
        if self._stopping:
            return
        self.log.error(
            "spawn manager {pid} {status}; starting another, workers go on",
            pid=child.pid,
            status=status.describe(),
        )
        quick = self._reactor.seconds() - self._started_at < HEALTHY_AFTER
        if not quick:
            self._quick_deaths = 0
        if quick and status.signal == signal.SIGKILL:
            self._pause = self._reactor.callLater(PAUSE_AFTER_KILL, self._restart)
            return
        self._quick_deaths += 1
        if self._quick_deaths < QUICK_DEATHS:
            self._restart()
        else:
            self._pause = self._reactor.callLater(RESTART_PAUSE, self._restart)
            if self._quick_deaths >= HOPELESS_DEATHS:
                self._drop_waiting()

    def _restart(self) -> None:
        self._pause = None
        if self._stopping or self._child is not None:
            return
        try:
            self.start()
        except OSError as error:
            self.log.error("spawn manager can't be started: {error}", error=error)
            self._pause = self._reactor.callLater(RESTART_PAUSE, self._restart)

    def _release(self) -> None:
        """Close our ends, which also ends a manager that still runs."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        self._child = None
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        if self._output is not None:
            self._output.close()
            self._output = None

    def _drop_waiting(self) -> None:
        """Their handshakes reach end-of-file."""
        for _body, fds in self._for_successor:
            _close_all(fds)
        self._for_successor.clear()


def _pipe(of_reader: ExitStack, of_writer: ExitStack) -> tuple[int, int]:
    """A new pipe; each end is closed by the stack of whom it is for."""
    read, write = os.pipe2(os.O_CLOEXEC)
    of_reader.callback(os.close, read)
    of_writer.callback(os.close, write)
    return read, write


def _close_all(fds: Mapping[str, int]) -> None:
    for fd in fds.values():
        os.close(fd)
