"""The spawner processes that run now, for status and for ending them.

Runs in: the controller.

They are children of the manager or of each other, so only their lifelines
are ours; their pidfds tell when they end.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from passtwist.api.interfaces import ISpawnerStatus
from passtwist.api.selectable import Selectable
from passtwist.model import APP, ExitStatus
from passtwist.spawning.child import uids_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from passtwist.api.reactors import Reactor
    from passtwist.model import SpawnRequest
    from passtwist.spawning.descriptors import Kept
    from passtwist.spawning.output import Output
    from passtwist.spawning.stacks import Stacks


# What is kept of those that have ended, for who asks a moment later.
EXITS_KEPT = 50


@implementer(ISpawnerStatus)
class SpawnerProcess(Selectable):
    """One framework spawner or app spawner.

    :ivar kind: ``framework`` or ``app``.
    :ivar key: what it is for: the framework's key, or the app's name.
    :ivar app: the app that it was started for.
    :ivar has_forked: it has done what it is for, so it has loaded what it loads.
    :raises OSError: there is no such process any more.
    """

    def __init__(
        self,
        reactor: Reactor,
        kind: str,
        pid: int,
        request: SpawnRequest,
        kept: Kept,
        output: Output,
        stacks: Stacks,
        on_gone: Callable[[SpawnerProcess], None],
    ) -> None:
        super().__init__(reactor, os.pidfd_open(pid))
        self.kind = kind
        self.pid = pid
        self.app = request.app.name
        self.key = self.app if kind == APP else " ".join(request.app.framework_key)
        self.generation = request.generation
        self.started_at = reactor.seconds()
        self.output = output
        self._uid = uid_of(request)
        self._stacks = stacks
        self.has_forked = False
        self._use = self._use_of(request)
        self._kept = kept
        self._on_gone = on_gone
        reactor.addReader(self)

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return self._reactor.seconds() - self.started_at

    def is_for(self, request: SpawnRequest) -> bool:
        """Whether *request* may have gone through it."""
        return self._use_of(request) == self._use

    def _use_of(self, request: SpawnRequest) -> tuple[object, ...]:
        app = request.app
        if self.kind == APP:
            return (app.name, request.generation)
        return (app.framework_key, app.python, app.uid)

    def kill(self) -> None:
        """End it: the kernel does, when its lifeline closes."""
        self._kept.close()

    def stacks(self) -> Deferred[str]:
        """See `ISpawnerStatus.stacks`."""
        return self._stacks.ask(self._signal)

    def _signal(self, number: signal.Signals) -> None:
        """A signal to it, if it is still whose it should be.

        It is no child of ours, so that somebody of its user's might have told
        us of another process: of that user's, who may send it signals anyway.
        """
        if self._descriptor >= 0 and uids_of(self.pid) == {self._uid}:
            try:
                signal.pidfd_send_signal(self._descriptor, number)
            except OSError:
                pass

    def doRead(self) -> None:
        """It has ended."""
        if self._descriptor < 0:
            return
        self.unwatch()
        os.close(self._descriptor)
        self._descriptor = -1
        self._kept.close()
        self._on_gone(self)


def uid_of(request: SpawnRequest) -> int:
    """Whose the processes of that spawn are."""
    return request.app.uid if request.app.uid >= 0 else os.geteuid()


class Spawners:
    """All of them."""

    log = Logger(namespace="passtwist.spawning")

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._all: dict[int, SpawnerProcess] = {}
        self._ended: dict[int, SpawnerProcess] = {}
        self._closing: Deferred[None] | None = None
        self._exits: dict[int, ExitStatus] = {}
        self._curious: dict[int, list[Deferred[ExitStatus]]] = {}

    def __iter__(self) -> Iterator[SpawnerProcess]:
        return iter(tuple(self._all.values()))

    def add(
        self,
        kind: str,
        pid: int,
        request: SpawnRequest,
        kept: Kept,
        output: Output,
        stacks: Stacks,
    ) -> None:
        """A spawner was started with these descriptors.

        The pid is what the process says: it is never ended by it.
        """
        if pid in self._all:
            return
        if not uids_of(pid) <= {uid_of(request)}:
            kept.close()  # whoever said so, it was not that process
            return
        try:
            process = SpawnerProcess(
                self._reactor, kind, pid, request, kept, output, stacks, self._gone
            )
        except (OSError, OverflowError):
            kept.close()
            return
        self._all[pid] = process
        self.log.info(
            "{kind} spawner of {key} started, pid {pid}",
            kind=kind,
            key=process.key,
            pid=pid,
        )
        # Of another one that had the number:
        self._exits.pop(pid, None)
        self._ended.pop(pid, None)

    def told_exit(self, pid: int, status: ExitStatus) -> None:
        """The manager says how a spawner has ended."""
        self._exits[pid] = status
        if len(self._exits) > EXITS_KEPT:
            del self._exits[next(iter(self._exits))]
        for deferred in self._curious.pop(pid, ()):
            if not deferred.called:  # one may have cancelled another
                deferred.callback(status)

    def when_exit_told(self, pid: int) -> Deferred[ExitStatus]:
        """Fires with the status of a spawner that has ended or is about to.

        Never, when the manager has died as well: cancel it, which errbacks it.
        """

        def forget(deferred: Deferred[ExitStatus]) -> None:
            curious = self._curious.get(pid, [])
            if deferred in curious:
                curious.remove(deferred)
            if not curious:
                self._curious.pop(pid, None)

        told: Deferred[ExitStatus] = Deferred(forget)
        if pid in self._exits:
            told.callback(self._exits[pid])
        else:
            self._curious.setdefault(pid, []).append(told)
        return told

    def find(self, pid: int) -> SpawnerProcess | None:
        """The spawner with that pid."""
        return self._all.get(pid)

    def known(self, pid: int) -> SpawnerProcess | None:
        """The spawner that has that pid, or had it until a moment ago."""
        return self._all.get(pid) or self._ended.get(pid)

    def forked(self, kind: str, request: SpawnRequest) -> None:
        """A process was started by the spawner of *kind* for *request*."""
        for process in self._all.values():
            if process.kind == kind and process.is_for(request):
                process.has_forked = True

    def kill_app(self, app: str) -> None:
        """End the app spawners of *app*."""
        for process in self:
            if process.kind == APP and process.app == app:
                process.kill()

    def close(self) -> Deferred[None]:
        """End all of them; fires when none is left."""
        self._closing = Deferred()
        for process in self:
            process.kill()
        self._check_closed()
        return self._closing

    def _check_closed(self) -> None:
        if self._closing is not None and not self._all and not self._closing.called:
            self._closing.callback(None)

    def _gone(self, process: SpawnerProcess) -> None:
        self._all.pop(process.pid, None)
        self._ended[process.pid] = process
        if len(self._ended) > EXITS_KEPT:
            del self._ended[next(iter(self._ended))]
        self._check_closed()
