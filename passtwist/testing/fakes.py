"""Verified fakes of the interfaces between layers.

Runs in: test processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import implementer
from zope.interface.verify import verifyClass

from passtwist.api.interfaces import (
    IPool,
    IRestartableApp,
    ISession,
    ISpawnToolkit,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from passtwist.api.interfaces import IRequest, IResponder, IWorker
    from passtwist.model import SpawnRequest


@implementer(ISession)
class FakeSession:
    """A session that is answered by the test.

    :ivar calls: ``abandon``, ``pause`` and ``resume``, in the order of calls.
    """

    def __init__(self, app: str, request: IRequest, responder: IResponder) -> None:
        self.app = app
        self.request = request
        self.responder = responder
        self.calls: list[str] = []
        self.worker_pid = 4711
        self.worker = 1
        self.spawn_method = "conservative"
        self.attempts = 1
        self.queued_at = 0.0
        self.started_at = 0.0

    @property
    def environ(self) -> dict[str, str]:
        """The request's CGI variables.

        :raises ValueError: a variable is there twice, or a value is missing.
        """
        texts = [item.decode("latin-1") for item in self.request.pairs]
        pairs = list(zip(texts[::2], texts[1::2], strict=True))
        environ = dict(pairs)
        if len(environ) != len(pairs):
            raise ValueError(f"a variable is there twice: {sorted(texts[::2])}")
        return environ

    def abandon(self) -> None:
        self.calls.append("abandon")

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")


@implementer(IPool)
class FakePool:
    """A pool whose requests are answered by the test, at once or later.

    :ivar sessions: all that were submitted, oldest first.
    """

    def __init__(self, answer: Callable[[FakeSession], object] | None = None) -> None:
        """
        :param answer: called with each session before `submit` returns; what
            it raises, `submit` raises.
        """
        self.sessions: list[FakeSession] = []
        self._answer = answer

    def submit(self, app: str, request: IRequest, responder: IResponder) -> FakeSession:
        session = FakeSession(app, request, responder)
        self.sessions.append(session)
        if self._answer is not None:
            self._answer(session)
        return session

    @property
    def last(self) -> FakeSession:
        """The newest session."""
        return self.sessions[-1]


@implementer(ISpawnToolkit)
class FakeToolkit:
    """A toolkit that starts nothing: the test answers each spawn.

    :ivar requests: what was to be spawned, oldest first.
    :ivar spawns: the Deferred that each of them was answered with.
    :ivar retired: the apps whose spawners were let go, oldest first.
    :ivar below: for each of them, which generations stayed: from this one on.
    :ivar since: the same: those before this one.
    """

    def __init__(self) -> None:
        self.requests: list[SpawnRequest] = []
        self.spawns: list[Deferred[IWorker]] = []
        self.retired: list[str] = []
        self.below: list[int | None] = []
        self.since: list[int | None] = []

    def spawn(self, request: SpawnRequest) -> Deferred[IWorker]:
        self.requests.append(request)
        self.spawns.append(Deferred())
        return self.spawns[-1]

    def retire(
        self, app: str, below: int | None = None, since: int | None = None
    ) -> None:
        self.retired.append(app)
        self.below.append(below)
        self.since.append(since)


@implementer(IRestartableApp)
class FakeRestartableApp:
    """An app that a restart trigger watches.

    :ivar restarts: the reasons, oldest first.
    :ivar before_requests: likewise, of restarts before each request.
    """

    def __init__(
        self,
        root: str,
        environment: str = "production",
        restart_dir: str = "tmp",
        name: str = "shop",
    ) -> None:
        self.name = name
        self.root = root
        self.restart_dir = restart_dir
        self.environment = environment
        self.restarts: list[str] = []
        self.before_requests: list[str] = []

    def restart(self, reason: str) -> None:
        self.restarts.append(reason)

    def restart_before_requests(self, reason: str) -> None:
        self.before_requests.append(reason)


verifyClass(IRestartableApp, FakeRestartableApp)
verifyClass(ISession, FakeSession)
verifyClass(IPool, FakePool)
verifyClass(ISpawnToolkit, FakeToolkit)
