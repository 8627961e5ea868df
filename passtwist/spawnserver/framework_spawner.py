"""A framework spawner: has imported one framework and forks app spawners.

Runs in: framework spawners.  Loads no app and touches no settings: apps that
share the framework's files, and nothing else, are forked from here.
"""

from __future__ import annotations

import gc
import os
import socket
import time
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
        self._idle_time = 0.0
        # CLOCK_MONOTONIC; None while there are app spawners.
        self._unused_since: Optional[float] = None

    def next_time(self) -> Optional[float]:
        """See `Layer.next_time`; also when it was of no use for too long."""
        if any(self.children):
            self._unused_since = None
        elif self._unused_since is None:
            self._unused_since = time.monotonic()
        times = [super().next_time()]
        if self._unused_since is not None and self._idle_time:
            times.append(self._unused_since + self._idle_time)
        return min((at for at in times if at is not None), default=None)

    def time_passed(self) -> None:
        """See `Layer.time_passed`; may end the loop."""
        super().time_passed()
        since, now = self._unused_since, time.monotonic()
        if any(self.children) or since is None or not self._idle_time:
            return
        # What came at this very moment is still served.
        if since + self._idle_time <= now and not self.hear_from_above():
            self.log("no app has used it for %.0f s; it ends" % (now - since))
            self.stop()

    def refusal(
        self, request: SpawnRequest, journal: Journal
    ) -> Optional[FailedRecord]:
        """Preload the framework, at the first spawn."""
        self._idle_time = request.spawner_idle_time
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
        stacks = descriptors["stacks"]
        own = Journal(APP, journal.detach())

        def task() -> Optional[Task]:
            stand_alone(lifeline, output)
            print_to(log_file)
            signals.settle_spawner()
            signals.show_stacks_on(stacks)
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
