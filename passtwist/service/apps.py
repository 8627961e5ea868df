"""The apps that a server runs: from settings to a spawner.

Runs in: the controller.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from passtwist.api.resolve import resolve
from passtwist.errors import PasstwistError, SpawnError
from passtwist.model import APP_ERROR, Limits, SpawnRequest, Step

if TYPE_CHECKING:
    from passtwist.api.interfaces import ISpawner, ISpawnToolkit, IWorker
    from passtwist.api.registry import Registry
    from passtwist.api.settings import AppSettings, ServerSettings
    from passtwist.model import AppSpec, WorkerId


class App:
    """One app of the server.

    It is looked at when its first worker is wanted, and again at each spawn
    until something was found: an app that is broken, or not yet there, must
    not keep the server from starting.

    :ivar spec: what was found, None before.
    :ivar last_spawn_error: of the last spawn that failed, None after one that
        succeeded.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(
        self,
        settings: AppSettings,
        server: ServerSettings,
        registry: Registry,
        toolkit: ISpawnToolkit,
    ) -> None:
        self.name = settings.name
        self.settings = settings
        self.spec: AppSpec | None = None
        self.last_spawn_error: SpawnError | None = None
        self._server = server
        self._registry = registry
        self._toolkit = toolkit
        self._spawner: ISpawner | None = None

    @property
    def limits(self) -> Limits:
        """What the pool has to know."""
        settings = self.settings
        return Limits(
            min_instances=settings.min_instances,
            max_instances=settings.max_instances,
            spawn_concurrency=settings.spawn_concurrency,
            max_queue_size=settings.max_queue_size,
            max_queue_time=settings.max_queue_time,
            concurrency=settings.threads,
            prestart=settings.prestart,
            spare_workers=settings.spare_workers,
        )

    @property
    def spawn_method(self) -> str:
        """The method in effect, or the one that was asked for."""
        if self._spawner is not None:
            return self._spawner.method
        return self.settings.spawn_method

    @property
    def spawn_method_reason(self) -> str:
        """Why it is not the one asked for, or ''."""
        return self._spawner.reason if self._spawner is not None else ""

    def spawn(self, number: WorkerId, generation: int) -> Deferred[IWorker]:
        """Start a worker; ends as `ISpawner.spawn` does."""
        begun = time.monotonic()
        try:
            spawner = self._look()
        except PasstwistError as error:  # a broken app, or a broken plugin
            seconds = time.monotonic() - begun
            step = Step("controller", 0, "detect_app", "failed", begun, seconds)
            summary = str(error)
            if not summary.startswith(f"app {self.name}"):
                summary = f"app {self.name}: {summary}"
            return fail(SpawnError(APP_ERROR, summary, journey=(step,)))
        assert self.spec is not None
        request = SpawnRequest(int(number), self.spec, generation=generation)

        def label(worker: IWorker) -> IWorker:
            # The toolkit does not know for which method it spawned.
            worker.spawn_method = worker.spawn_method or spawner.method
            return worker

        return spawner.spawn(request).addCallback(label)

    def stop(self) -> None:
        """The app is removed."""
        if self._spawner is not None:
            self._spawner.stop()
            self._spawner = None
        self.spec = None

    def _look(self) -> ISpawner:
        if self._spawner is None:
            found = resolve(self.settings, self._server, self._registry)
            self.spec = found.spec
            for note in found.notes:
                self.log.warn("app {app}: {note}", app=self.name, note=note)
            self._spawner = found.method.create_spawner(found.spec, self._toolkit)
        return self._spawner
