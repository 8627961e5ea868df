"""The apps that a server runs: from settings to spawners.

Runs in: the controller.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import attrs
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from passtwist.api.resolve import resolve
from passtwist.api.settings_declare import in_effect
from passtwist.errors import PasstwistError, SpawnError
from passtwist.model import APP_ERROR, Limits, SpawnRequest, Step

if TYPE_CHECKING:
    from passtwist.api.interfaces import ISpawner, ISpawnToolkit, IWorker
    from passtwist.api.registry import Registry
    from passtwist.api.settings import AppSettings, ServerSettings
    from passtwist.model import AppSpec, WorkerId

# Settings that the pool knows by the same name.
_FOR_THE_POOL = (
    *("min_instances", "max_instances", "spawn_concurrency", "spare_workers"),
    *("max_queue_size", "max_queue_time", "prestart", "max_requests"),
    *("memory_limit", "hard_memory_limit", "restart_parallelism", "drain_time"),
)


@dataclass(frozen=True)
class Code:
    """What one generation of an app is made of."""

    spec: AppSpec
    spawner: ISpawner


class App:
    """One app of the server.

    It is looked at when the first worker of a generation is wanted, and again at
    each spawn until something was found: an app that is broken, or not yet there,
    must not keep the server from starting.  What was found holds for all workers
    of that generation: while new code fails, more workers of the old are started.

    :ivar settings: for the generations to come.
    :ivar generation: the newest that had a worker.
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
        self.generation = 0
        self.last_spawn_error: SpawnError | None = None
        self._server = server
        self._registry = registry
        self._toolkit = toolkit
        self._codes: dict[int, Code] = {}
        self._proven = -1  # the newest generation that had a worker
        self._failed: set[int] = set()  # generations of which the last spawn did

    @property
    def limits(self) -> Limits:
        """What the pool has to know."""
        settings = self.settings
        values = {key: in_effect(settings, key) for key in _FOR_THE_POOL}
        return Limits(concurrency=settings.threads, **values)

    @property
    def spec(self) -> AppSpec | None:
        """What was found, None before: the code that serves, else the newest."""
        code = self._code
        return None if code is None else code.spec

    @property
    def spawn_method(self) -> str:
        """The method in effect, or the one that was asked for."""
        code = self._code
        return self.settings.spawn_method if code is None else code.spawner.method

    @property
    def spawn_method_reason(self) -> str:
        """Why it is not the one asked for, or ''."""
        return "" if self._code is None else self._code.spawner.reason

    def change(self, settings: AppSettings, server: ServerSettings) -> None:
        """Other settings hold for the generations to come."""
        self.settings = settings
        self._server = server

    def spawn(self, number: WorkerId, generation: int) -> Deferred[IWorker]:
        """Start a worker; ends as `ISpawner.spawn` does."""
        begun = time.monotonic()
        try:
            code = self._look(generation)
        except PasstwistError as error:  # a broken app, or a broken plugin
            seconds = time.monotonic() - begun
            step = Step("controller", 0, "detect_app", "failed", begun, seconds)
            summary = str(error)
            if not summary.startswith(f"app {self.name}"):
                summary = f"app {self.name}: {summary}"
            return fail(SpawnError(APP_ERROR, summary, journey=(step,)))
        request = SpawnRequest(int(number), code.spec, generation=generation)

        def label(worker: IWorker) -> IWorker:
            # The toolkit does not know for which method it spawned.
            worker.spawn_method = worker.spawn_method or code.spawner.method
            return worker

        return code.spawner.spawn(request).addCallback(label)

    def came_up(self, generation: int) -> None:
        """A worker of it is ready."""
        self.generation = max(self.generation, generation)
        self._proven = max(self._proven, generation)
        self._failed.discard(generation)
        self.last_spawn_error = None

    def spawn_failed(self, generation: int, error: SpawnError) -> None:
        """A worker of it did not get ready."""
        self.last_spawn_error = error
        if generation > self._proven:
            self._failed.add(generation)

    def give_up(self, generation: int) -> None:
        """A generation failed to come up; harmless for one that did not."""
        if generation > self.generation:
            self._drop(generation)

    def release(self, below: int) -> None:
        """Generations before *below* start no more workers."""
        for generation in [one for one in self._codes if one < below]:
            self._drop(generation)

    def stop(self) -> None:
        """The app is removed."""
        for generation in list(self._codes):
            self._drop(generation)

    @property
    def _code(self) -> Code | None:
        serving = self._codes.get(self.generation)
        if serving is not None or not self._codes:
            return serving
        return self._codes[max(self._codes)]

    def _drop(self, generation: int) -> None:
        self._failed.discard(generation)
        code = self._codes.pop(generation, None)
        if code is not None:
            code.spawner.stop()

    def _look(self, generation: int) -> Code:
        code = self._codes.get(generation)
        if code is None or generation in self._failed:
            # A deployment may swap a link in the root at any time; the workers of
            # one generation all get what it leads to now.
            root = os.path.realpath(self.settings.root)
            settings = attrs.evolve(self.settings, root=root)
            found = resolve(settings, self._server, self._registry)
            if code is not None and code.spec == found.spec:
                return code
            self._drop(generation)
            for note in found.notes:
                self.log.warn("app {app}: {note}", app=self.name, note=note)
            spawner = found.method.create_spawner(found.spec, self._toolkit)
            code = self._codes[generation] = Code(found.spec, spawner)
        return code
