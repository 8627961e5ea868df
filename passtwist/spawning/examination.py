"""Load an app in an app spawner of its own, to see whether it stands a fork.

Runs in: the command, as a controller of nothing else.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ReactorNotRunning

from passtwist.errors import SpawnError
from passtwist.model import APP, UNSAFE_FORK, Finding, SpawnRequest
from passtwist.spawning.runtime_dir import RuntimeDir
from passtwist.spawning.toolkit import SpawnServer
from passtwist.spawning.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from passtwist.api.reactors import Reactor
    from passtwist.model import AppSpec

_SPAWN = 1  # the only one


@dataclass(frozen=True)
class Examination:
    """How an app was found to be.

    :ivar findings: the unsafe ones first, without those that the app allows.
    :ivar is_safe: it was forked, and a worker of it was ready.
    :ivar error: why it could not be loaded; None when it could.
    """

    findings: Sequence[Finding] = ()
    is_safe: bool = False
    error: SpawnError | None = None


def run(reactor: Any, app: AppSpec, children: Mapping[str, str]) -> Examination:
    """Spawn one worker by way of an app spawner, end both, and stop the reactor.

    What the app does when it is loaded it does here, too; no request is made
    but those of its own warm-up.

    :param reactor: not running; run by this, it can't be used again.
    :param children: as `Registry.child_files`.
    :raises StartupError: there is no room for a spawn server.
    :raises KeyboardInterrupt: the reactor was stopped before the end.
    """
    ended: list[Examination | BaseException] = []

    def begin() -> None:
        examining = Deferred.fromCoroutine(_examine(reactor, runtime, app, children))

        def end() -> Deferred[Any]:
            # The reactor waits for it: nothing of ours is to be left.
            examining.cancel()
            return examining

        reactor.addSystemEventTrigger("before", "shutdown", end)
        examining.addErrback(lambda failure: failure.value)
        examining.addCallback(ended.append)
        examining.addCallback(lambda _: stop())

    def stop() -> None:
        try:
            reactor.stop()
        except ReactorNotRunning:
            pass  # it is being stopped, that is why we have ended

    with _runtime_dir() as runtime:
        reactor.callWhenRunning(begin)
        reactor.run()
    (end,) = ended
    if isinstance(end, CancelledError):
        raise KeyboardInterrupt
    if isinstance(end, BaseException):
        raise end
    return end


async def _examine(
    reactor: Reactor, runtime: RuntimeDir, app: AppSpec, children: Mapping[str, str]
) -> Examination:
    server = SpawnServer(reactor, runtime, children)
    server.start()
    try:
        return await _spawn_one(server, app)
    finally:
        await server.stop()


async def _spawn_one(server: SpawnServer, app: AppSpec) -> Examination:
    request = SpawnRequest(_SPAWN, replace(app, log_file=""), (APP,))
    try:
        worker = await server.spawn(request)
    except SpawnError as error:
        findings = [one for one in error.findings if isinstance(one, Finding)]
        if error.category != UNSAFE_FORK:
            return Examination(findings, error=error)
        return Examination(findings)
    assert isinstance(worker, Worker)
    worker.kill()
    await worker.when_exited()
    return Examination(worker.findings, is_safe=True)


@contextmanager
def _runtime_dir() -> Iterator[RuntimeDir]:
    """One for the while, where the app's user can reach the code in it."""
    folder = Path(tempfile.mkdtemp(prefix="passtwist-"))
    folder.chmod(0o711)
    runtime = RuntimeDir(str(folder / "run"))
    try:
        runtime.acquire()
        yield runtime
    finally:
        runtime.release()
        shutil.rmtree(folder, ignore_errors=True)
