"""An app spawner: has loaded one app and forks it.

Runs in: app spawners and, from `become_worker` on, the workers that they fork.
"""

from __future__ import annotations

import gc
import os
from typing import Dict, Optional, Tuple

from passtwist import lifecycle
from passtwist.model import APP, WORKER, SpawnRequest
from passtwist.spawnserver import freezing
from passtwist.spawnserver.blame import blame
from passtwist.spawnserver.channel import Channel
from passtwist.spawnserver.fork_safety import ForkSafety, UnsafeFork, refusal
from passtwist.spawnserver.layer import Layer, Task
from passtwist.spawnserver.loading import LoadedApp, enter_app, load_app
from passtwist.spawnserver.processes import fork_twice, wait_for_adoption
from passtwist.spawnserver.rehearsal import rehearse
from passtwist.wire.journey import FailedRecord
from passtwist.worker import signals
from passtwist.worker.journal import Journal
from passtwist.worker.main import WorkerFacts, leave_failed, serve, start_serving
from passtwist.worker.own_server import run_own_server
from passtwist.worker.process import (
    flush_streams,
    print_to,
    stand_alone,
)
from passtwist.worker.randomness import prepare, reseed
from passtwist.worker.title import set_title


class AppSpawner(Layer):
    """Loads the app of its first spawn, then forks a worker for each."""

    who = APP
    starts: Tuple[str, ...] = ()

    def __init__(self, above: Channel, lifeline: int, code: str) -> None:
        super().__init__(above, lifeline, code)
        self._loaded: Optional[LoadedApp] = None
        self._refused: Optional[FailedRecord] = None

    def refusal(
        self, request: SpawnRequest, journal: Journal
    ) -> Optional[FailedRecord]:
        """Load the app, at the first spawn."""
        if self._loaded is None and self._refused is None:
            set_title("app spawner", request.app.name)
            try:
                self._loaded = self._load(request, journal)
            except BaseException as error:  # noqa: BLE001 - answered
                # Also to those that wait behind this one.  Who comes later may
                # know of the error and have mended the app: another spawner is
                # made for them.
                self._refused = self._blame(request, error, journal)
                self.gather()
                self.stop()
        return self._refused

    def _blame(
        self, request: SpawnRequest, error: BaseException, journal: Journal
    ) -> FailedRecord:
        app = request.app.name
        if isinstance(error, UnsafeFork):
            return refusal(error, app, self.who, journal.step)
        return blame(error, app, self.who, journal.step, self.code)

    def _load(self, request: SpawnRequest, journal: Journal) -> LoadedApp:
        spec = request.app
        safety = ForkSafety(spec)
        journal.end("start_interpreter")
        enter_app(spec, journal)
        loaded = load_app(spec, journal, self.code)
        with journal.doing("before_fork"):
            for listener in lifecycle.listeners("before_fork"):
                listener()
            loaded.half.call("before_fork", loaded.app)
        with journal.doing("audit"):
            safety.audit(journal)
        with journal.doing("freeze"):
            rehearse(request)
            prepare()
            freezing.freeze(spec.freeze)
        with journal.doing("self_test"):
            safety.test(journal)
        # The app's imports may have changed them.
        signals.settle_spawner()
        return loaded

    def make_worker(
        self, request: SpawnRequest, journal: Journal, descriptors: Dict[str, int]
    ) -> None:
        """See `Layer.make_worker`: fork it."""
        loaded = self._loaded
        if loaded is None:
            raise AssertionError("no app is loaded")
        journal.begin("fork_worker")
        if journal.is_abandoned:
            return  # given up before it reached us
        between = fork_twice()
        if not between:
            journal.end("fork_worker")
            return
        own = Journal(WORKER, journal.detach())
        given = dict(descriptors)
        self.become(_become_worker(loaded, request, own, given, self.code, between))


def _become_worker(
    loaded: LoadedApp,
    request: SpawnRequest,
    journal: Journal,
    descriptors: Dict[str, int],
    code: str,
    between: int,
) -> Task:
    spec = loaded.spec
    facts = WorkerFacts(request.number, os.getpid(), request.generation, True)

    def task() -> Optional[Task]:
        try:
            stand_alone(descriptors["lifeline"], descriptors["output"])
            print_to(spec.log_file)
            signals.reset()
            signals.show_stacks_on(descriptors["stacks"])
            reseed()
            set_title("worker", spec.name)
            wait_for_adoption(between)
            journal.started()
            with journal.doing("after_fork"):
                loaded.half.call("after_fork", loaded.app, facts)
                for listener in lifecycle.listeners("after_fork"):
                    listener()
            gc.enable()
            if loaded.has_server:
                run_own_server(loaded.serve, spec.threads, journal, descriptors)
            server = start_serving(
                loaded.application, spec.threads, journal, descriptors
            )
        except BaseException as error:  # noqa: BLE001 - answered
            # Whatever the app's hooks raise is a failed spawn.
            journal.fail(blame(error, spec.name, WORKER, journal.step, code))
            flush_streams()
            leave_failed()
        serve(server, journal)

    return task


def become_app_spawner(above: Channel, lifeline: int, code: str) -> Task:
    """What a process exec'd as app spawner does."""

    def task() -> Optional[Task]:
        gc.disable()
        return AppSpawner(above, lifeline, code).run()

    return task
