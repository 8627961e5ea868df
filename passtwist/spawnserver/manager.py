"""The spawn manager: the facade of the spawn server.

Runs in: the spawn manager.  It executes the interpreters of apps and loads
nothing of theirs.
"""

from __future__ import annotations

import os
import socket
import sys
import traceback
from typing import Dict, List, NoReturn, Optional

from passtwist.model import APP, APP_ERROR, MANAGER, WORKER, SpawnRequest
from passtwist.spawnserver import environment
from passtwist.spawnserver.channel import Channel
from passtwist.spawnserver.children import ChildLayer
from passtwist.spawnserver.layer import Layer
from passtwist.spawnserver.processes import exec_role, fork, fork_twice, lift
from passtwist.spawnserver.worker_request import WORKER_DESCRIPTORS, request_in_memory
from passtwist.wire.journey import FailedRecord
from passtwist.worker.journal import Journal
from passtwist.worker.process import stand_alone

# A step that one process begins before its exec and ends after it.
START_INTERPRETER = "start_interpreter"


class SpawnManager(Layer):
    """Starts spawners, and workers that load their app by themselves."""

    who = MANAGER

    def start_layer(
        self,
        kind: str,
        request: SpawnRequest,
        journal: Journal,
        descriptors: Dict[str, int],
    ) -> Optional[ChildLayer]:
        """See `Layer.start_layer`."""
        ours, theirs = socket.socketpair()
        with theirs:
            pid = fork()
            if pid == 0:
                role = "app-spawner" if kind == APP else "framework-spawner"
                handshake = journal.detach()
                given = [theirs.fileno(), descriptors["lifeline"]]
                self._exec(request, kind, handshake, role, descriptors, given)
        name = request.app.name if kind == APP else ""
        return ChildLayer(kind, pid, name, request.generation, Channel(ours))

    def make_worker(
        self, request: SpawnRequest, journal: Journal, descriptors: Dict[str, int]
    ) -> None:
        """See `Layer.make_worker`."""
        memory = request_in_memory(request)
        try:
            journal.begin("start_worker_process")
            if not fork_twice():
                journal.end("start_worker_process")
                return
            descriptors["handshake"] = journal.detach()
            given = [memory, *(descriptors[name] for name in WORKER_DESCRIPTORS)]
            handshake = descriptors["handshake"]
            self._exec(request, WORKER, handshake, "worker", descriptors, given)
        finally:
            os.close(memory)

    def _exec(
        self,
        request: SpawnRequest,
        who: str,
        handshake: int,
        role: str,
        descriptors: Dict[str, int],
        given: List[int],
    ) -> NoReturn:
        """In a forked child: become *role*.  Never returns, never raises."""
        try:
            journal = Journal(who, lift(handshake))
            stand_alone(descriptors["lifeline"], descriptors["output"])
            journal.started()
            self._start_interpreter(request, journal, role, given)
        except BaseException:  # noqa: BLE001 - logged
            # Answered by the end of this process; its parent's loop must not
            # run twice.
            traceback.print_exc()
        finally:
            os._exit(127)

    def _start_interpreter(
        self, request: SpawnRequest, journal: Journal, role: str, given: List[int]
    ) -> None:
        """Returns only when that failed, and the journal says why."""
        app = request.app
        python = app.python or sys.executable
        try:
            journal.begin(START_INTERPRETER)
            wanted = environment.inherited(os.environ)
            wanted.update(
                environment.for_interpreter(app)
                if role == "framework-spawner"
                else dict(app.env)
            )
            exec_role(python, self.code, role, wanted, given)
        except OSError as error:
            journal.fail(
                FailedRecord(
                    journal.who,
                    os.getpid(),
                    journal.step,
                    APP_ERROR,
                    "app %s: its interpreter %s can't be started: %s"
                    % (app.name, python, error.strerror),
                    "Does it exist, and may uid %d execute it?" % os.geteuid(),
                )
            )
