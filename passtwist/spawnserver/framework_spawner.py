"""A framework spawner: has imported one framework and forks app spawners.

Runs in: framework spawners.  Loads no app and touches no settings: apps that
share the framework's files, and nothing else, are forked from here.
"""

from __future__ import annotations

import gc
import os
import socket
from typing import Dict, Optional, Tuple

from passtwist.model import APP, FRAMEWORK, SpawnRequest
from passtwist.spawnserver import freezing
from passtwist.spawnserver.app_api import App, open_child_half
from passtwist.spawnserver.app_spawner import AppSpawner
from passtwist.spawnserver.blame import blame
from passtwist.spawnserver.channel import Channel
from passtwist.spawnserver.children import ChildLayer
from passtwist.spawnserver.fork_safety import ForkSafety, UnsafeFork, refusal
from passtwist.spawnserver.layer import Layer, Task
from passtwist.spawnserver.processes import fork
from passtwist.wire.journey import FailedRecord
from passtwist.worker import signals
from passtwist.worker.journal import Journal
from passtwist.worker.process import print_to, stand_alone
from passtwist.worker.randomness import reseed
from passtwist.worker.title import set_title


class FrameworkSpawner(Layer):
    """Forks app spawners."""

    who = FRAMEWORK
    starts: Tuple[str, ...] = (APP,)

    def __init__(self, above: Channel, lifeline: int, code: str) -> None:
        super().__init__(above, lifeline, code)
        self._is_loaded = False

    def refusal(
        self, request: SpawnRequest, journal: Journal
    ) -> Optional[FailedRecord]:
        """Preload the framework, at the first spawn."""
        if self._is_loaded:
            return None
        set_title("framework spawner", request.app.framework)
        try:
            self._preload(request, journal)
        except BaseException as error:  # noqa: BLE001 - answered
            # This process is of no use to the next spawn either.
            self.stop()
            app = request.app.name
            if isinstance(error, UnsafeFork):
                return refusal(error, app, self.who, journal.step)
            return blame(error, app, self.who, journal.step, self.code)
        self._is_loaded = True
        return None

    def _preload(self, request: SpawnRequest, journal: Journal) -> None:
        safety = ForkSafety(request.app)
        journal.end("start_interpreter")
        with journal.doing("preload_framework"):
            freezing.check(request.app.freeze)
            half = open_child_half(self.code, request.app)
            half.call("preload", App(request.app))
        with journal.doing("audit"):
            safety.audit_framework(journal)
        # What is frozen here is not looked at by the collection that each app
        # spawner makes, so it stays shared with all of them.
        freezing.freeze_framework(request.app.freeze)

    def start_layer(
        self,
        kind: str,
        request: SpawnRequest,
        journal: Journal,
        descriptors: Dict[str, int],
    ) -> Optional[ChildLayer]:
        """See `Layer.start_layer`: fork an app spawner."""
        ours, theirs = socket.socketpair()
        pid = fork()
        if pid == 0:
            ours.close()
            above = Channel(theirs)
            log_file = request.app.log_file
            self.become(self._app_spawner(above, journal, descriptors, log_file))
            return None
        theirs.close()
        return ChildLayer(
            kind, pid, request.app.name, request.generation, Channel(ours)
        )

    def _app_spawner(
        self,
        above: Channel,
        journal: Journal,
        descriptors: Dict[str, int],
        log_file: str,
    ) -> Task:
        lifeline, output = descriptors["lifeline"], descriptors["output"]
        own = Journal(APP, journal.detach())

        def task() -> Optional[Task]:
            stand_alone(lifeline, output)
            print_to(log_file)
            signals.settle_spawner()
            reseed()
            own.started()
            # The spawn itself comes over the channel, with its descriptors.
            own.close()
            return AppSpawner(above, lifeline, self.code).run()

        return task


def become_framework_spawner(above: Channel, lifeline: int, code: str) -> Task:
    """What a process exec'd as framework spawner does."""

    def task() -> Optional[Task]:
        os.environ.setdefault("PYTHONUNBUFFERED", "1")
        gc.disable()
        return FrameworkSpawner(above, lifeline, code).run()

    return task
