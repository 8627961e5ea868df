"""A running worker as the rest of the controller sees it.

Runs in: the controller.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from zope.interface import implementer

from passtwist.api.interfaces import IWorker

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from passtwist.model import ExitStatus, Finding, Step
    from passtwist.spawning.child import Child
    from passtwist.spawning.descriptors import SpawnDescriptors
    from passtwist.spawning.stacks import Stacks
    from passtwist.wire.journey import ReadyRecord


@implementer(IWorker)
class Worker:
    """Owns the process, its lifeline, its socket's name and its scoreboard.

    :ivar findings: of the fork-safety audit, if this spawn made one.
    """

    def __init__(
        self,
        child: Child,
        ready: ReadyRecord,
        descriptors: SpawnDescriptors,
        stacks: Stacks,
        spawn_method: str,
        spawn_seconds: float,
        journey: tuple[Step, ...],
        findings: tuple[Finding, ...] = (),
    ) -> None:
        self.pid = child.pid
        self.socket_path = descriptors.socket_path
        self.protocol = ready.protocol
        self.concurrency = ready.concurrency
        self.upgrades = ready.upgrades
        self.scoreboard: memoryview | None = (
            descriptors.scoreboard if ready.protocol == "session" else None
        )
        self.spawn_method = spawn_method
        self.spawn_seconds = spawn_seconds
        self.journey: tuple[object, ...] = journey
        self.findings = findings
        self._child = child
        self._descriptors = descriptors
        self._stacks = stacks
        child.when_exited().addCallback(self._exited)

    def when_exited(self) -> Deferred[ExitStatus]:
        """See `IWorker.when_exited`."""
        return self._child.when_exited()

    def terminate(self) -> None:
        """See `IWorker.terminate`."""
        self._child.terminate()

    def kill(self) -> None:
        """See `IWorker.kill`."""
        # Its connections may end before its pidfd is looked at; a death that
        # was not ours must not be taken for one.
        if not self._child.reap():
            self._child.kill()

    def reopen_log(self) -> None:
        """See `IWorker.reopen_log`."""
        # To another program than ours the signal may say anything.
        if self.protocol == "session":
            self._child.signal(signal.SIGHUP)

    def stacks(self) -> Deferred[str]:
        """See `IWorker.stacks`."""
        return self._stacks.ask(self._child.signal)

    def _exited(self, _status: ExitStatus) -> None:
        self._descriptors.close()
