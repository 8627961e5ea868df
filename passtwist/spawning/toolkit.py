"""`ISpawnServer`: the toolkit that spawn methods build on, and its life.

Runs in: the controller.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred, DeferredList, fail
from twisted.logger import Logger
from zope.interface import implementer

from passtwist.api.interfaces import ISpawnServer
from passtwist.api.spawners import CONSERVATIVE
from passtwist.errors import FrameTooLarge, SpawnError, StartupError
from passtwist.model import APP_ERROR, LAYER_DIED, SYSTEM, ExitStatus
from passtwist.spawning import code_folder
from passtwist.spawning.attempt import Attempt
from passtwist.spawning.child import Children
from passtwist.spawning.hang import SpawnerHung
from passtwist.spawning.manager import SpawnManager
from passtwist.spawning.output_rate import OutputRates
from passtwist.spawning.spawners import Spawners
from passtwist.spawning.subreaper import OrphanReaper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twisted.python.failure import Failure

    from passtwist.api.interfaces import IWorker
    from passtwist.api.reactors import Reactor
    from passtwist.model import SpawnRequest
    from passtwist.spawning.output import Output
    from passtwist.spawning.runtime_dir import RuntimeDir
    from passtwist.spawning.spawners import SpawnerProcess
    from passtwist.spawning.stacks import Stacks
    from passtwist.spawning.starting import StartingWorker
    from passtwist.spawning.worker import Worker
    from passtwist.wire.control import Message


@implementer(ISpawnServer)
class SpawnServer:
    """Keeps the spawn server running and starts workers through it.

    :param runtime: acquired before `start`.
    :param children: file name to path of the frameworks' child halves.
    :param spawner_idle_time: the setting, in seconds; may be changed.
    """

    log = Logger(namespace="passtwist.spawning")

    def __init__(
        self,
        reactor: Reactor,
        runtime: RuntimeDir,
        children: Mapping[str, str],
        spawner_idle_time: float = 0.0,
    ) -> None:
        self.reactor = reactor
        self.children = Children(reactor)
        self.spawner_processes = Spawners(reactor)
        self.starting_workers: dict[int, StartingWorker] = {}
        self.output_rates = OutputRates(reactor.seconds)
        self.manager = SpawnManager(
            reactor, self.children, runtime.code, self._on_notice
        )
        self._runtime = runtime
        self._child_halves = children
        self.spawner_idle_time = spawner_idle_time
        self._orphans = OrphanReaper(
            reactor,
            self.children.__contains__,
            lambda pid: self.spawner_processes.known(pid) is not None,
        )
        self._code_files: tuple[str, ...] = ()
        self._pipes: set[Output | Stacks] = set()

    def start(self) -> None:
        """Become the subreaper, lay out the code, start the manager.

        :raises StartupError: one of these can't be done.
        """
        self._code_files = code_folder.fill(self._runtime.code, self._child_halves)
        self._orphans.start()
        try:
            self.manager.start()
        except OSError as error:
            self._orphans.stop()
            raise StartupError(
                f"the spawn manager can't be started: {error}"
            ) from error

    def stop(self) -> Deferred[None]:
        """End manager and spawners; workers are the pool's.

        :returns: fires when all of them are gone.
        """
        gone = DeferredList([self.manager.stop(), self.spawner_processes.close()])
        return gone.addCallback(lambda _: self._clean_up())

    def spawn(self, request: SpawnRequest) -> Deferred[IWorker]:
        """See `ISpawnToolkit.spawn`."""
        decided = time.monotonic()
        request = replace(request, spawner_idle_time=self.spawner_idle_time)
        first = self._attempt(request, decided)

        def again(failure: Failure) -> Failure | Deferred[Worker]:
            error = failure.value
            if not isinstance(error, SpawnError) or error.category != LAYER_DIED:
                return failure
            self.log.warn("{error}; trying once more", error=error)
            left = request.app.start_timeout - (time.monotonic() - decided)
            app = replace(request.app, start_timeout=max(1.0, left))
            if isinstance(error, SpawnerHung):
                # Another spawner may hang for the same reason.
                alone = replace(request, app=app, route=())
                return self._attempt(alone, decided).addCallback(_label)
            return self._attempt(replace(request, app=app), decided)

        first.addErrback(again)
        first.addErrback(self._as_spawn_error, request)
        result: Deferred[IWorker] = first  # type: ignore[assignment]  # a Worker provides it; Deferred is invariant
        return result

    def retire(
        self, app: str, below: int | None = None, since: int | None = None
    ) -> None:
        """See `ISpawnToolkit.retire`."""
        self.manager.retire(app, below, since)

    def manager_pid(self) -> int:
        """See `ISpawnServer.manager_pid`."""
        return self.manager.pid

    def starting(self, number: int) -> StartingWorker | None:
        """See `ISpawnServer.starting`."""
        return self.starting_workers.get(number)

    def spawners(self) -> Sequence[SpawnerProcess]:
        """See `ISpawnServer.spawners`."""
        return tuple(self.spawner_processes)

    def output_dropped(self) -> Mapping[str, int]:
        """See `ISpawnServer.output_dropped`."""
        return self.output_rates.dropped()

    # --- Ground, for attempts -------------------------------------------------

    def socket_path(self, number: int) -> str:
        """Where the worker's listening socket goes."""
        return self._runtime.socket_path(number)

    def send(self, request: SpawnRequest, fds: dict[str, int]) -> None:
        """Hand the spawn to the manager."""
        self.manager.spawn(request, fds)

    def keep(self, *pipes: Output | Stacks) -> None:
        """Close them when the server stops."""
        self._pipes = {kept for kept in self._pipes if kept.fileno() >= 0}
        self._pipes.update(pipes)

    def _clean_up(self) -> None:
        for pipe in tuple(self._pipes):
            pipe.close()
        self._pipes.clear()
        self._orphans.stop()

    def _restore(self) -> None:
        """Make anew what has been removed from the runtime directory.

        :raises OSError: it can't be made.
        :raises StartupError: likewise, or another server uses the folder now.
        """
        code = self._runtime.code
        missing = self._runtime.restore()
        if not all(map(os.path.exists, self._code_files)):
            missing.append(str(code))
            shutil.rmtree(code, ignore_errors=True)
            self._code_files = code_folder.fill(code, self._child_halves)
        if missing:
            self.log.warn(
                "{missing}: removed, whole or in part, while the server runs; made "
                "anew.  Is it in a folder that is tidied up?",
                missing=", ".join(missing),
            )

    def _attempt(self, request: SpawnRequest, decided: float) -> Deferred[Worker]:
        try:
            self._restore()
        except (OSError, StartupError) as error:
            text = f"app {request.app.name}: the runtime directory is gone: {error}"
            return fail(SpawnError(SYSTEM, text))
        attempt = Attempt(self, request, decided)
        try:
            attempt.begin()
        except FrameTooLarge as error:
            attempt.done.cancel()
            attempt.done.addErrback(lambda _: None)
            return fail(SpawnError(APP_ERROR, f"app {request.app.name}: {error}"))
        return attempt.done.addBoth(self._over, request.number)

    def _over(self, result: Worker | Failure, number: int) -> Worker | Failure:
        self.starting_workers.pop(number, None)
        return result

    def _as_spawn_error(self, failure: Failure, request: SpawnRequest) -> Failure:
        """Let nothing but SpawnError and a cancellation out."""
        if not isinstance(failure.value, SpawnError | CancelledError):
            self.log.failure(
                "spawning a worker of {app}", failure, app=request.app.name
            )
            text = f"app {request.app.name}: {failure.getErrorMessage()}"
            raise SpawnError(SYSTEM, text)
        return failure

    def _on_notice(self, message: Message) -> None:
        if message.kind != "spawner_exited":
            self.log.warn("spawn manager says {kind}", kind=message.kind)
            return
        body = message.body
        numbers = [body.get(name) for name in ("code", "signal", "pid")]
        # Framework spawners are their users', who may say anything.
        if not all(one is None or type(one) is int for one in numbers):
            self.log.warn("a spawner's end that can't be read: {body!r}", body=body)
            return
        code, signal, pid = numbers
        status = ExitStatus(code, signal)
        known = None
        if pid is not None:
            known = self.spawner_processes.known(pid)
            self.spawner_processes.told_exit(pid, status)
        self.log.info(
            "{kind} spawner {pid} of {key} {status}",
            kind=body.get("kind"),
            pid=pid,
            key=known.key if known is not None else body.get("app"),
            status=status.describe(),
        )


def _label(worker: Worker) -> Worker:
    """It did not come by the method that was asked for."""
    worker.spawn_method = CONSERVATIVE
    return worker
