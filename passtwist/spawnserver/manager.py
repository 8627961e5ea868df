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

from passtwist.model import (
    APP,
    APP_ERROR,
    FRAMEWORK,
    MANAGER,
    WORKER,
    AppSpec,
    SpawnRequest,
)
from passtwist.spawnserver import environment, privileges
from passtwist.spawnserver.channel import Channel
from passtwist.spawnserver.children import ChildLayer
from passtwist.spawnserver.layer import Layer
from passtwist.spawnserver.processes import (
    exec_role,
    fork,
    fork_twice,
    lift,
    place,
    wait_for_adoption,
)
from passtwist.spawnserver.worker_request import WORKER_DESCRIPTORS, request_in_memory
from passtwist.wire.journey import FailedRecord
from passtwist.worker.journal import Journal
from passtwist.worker.process import print_to, stand_alone

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
                own = (descriptors["lifeline"], descriptors["stacks"])
                given = [theirs.fileno(), *own]
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
            between = fork_twice()
            if not between:
                journal.end("start_worker_process")
                return
            wait_for_adoption(between)
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
            pen = lift(handshake)
            journal = Journal(who, pen)
            stand_alone(descriptors["lifeline"], descriptors["output"])
            place(given, pen)
            journal.begin(START_INTERPRETER)
            if self._become_user(request.app, journal):
                # Not before: the controller looks whose we are.
                journal.started()
                self._start_interpreter(request, journal, role)
        except BaseException:  # noqa: BLE001 - logged
            # Answered by the end of this process; its parent's loop must not
            # run twice.
            traceback.print_exc()
        finally:
            os._exit(127)

    def _become_user(self, app: AppSpec, journal: Journal) -> bool:
        """False when that can't be, and the journal says why."""
        shared = journal.who == FRAMEWORK
        umask = privileges.USUAL_UMASK if shared else app.umask
        try:
            privileges.take(app, umask)
        except privileges.NotTaken as error:
            refused = privileges.not_taken(error, app, journal.who, journal.step)
            journal.fail(refused)
            return False
        if not shared:
            print_to(app.log_file)
        return True

    def _start_interpreter(
        self, request: SpawnRequest, journal: Journal, role: str
    ) -> None:
        """Returns only when that failed, and the journal says why."""
        app = request.app
        python = app.python or sys.executable
        refused = app.uid > 0 and privileges.barred(
            app, python, self.code, journal.who, journal.step
        )
        if refused:
            journal.fail(refused)
            return
        try:
            wanted = environment.inherited(environment.of_user(os.environ, app))
            wanted.update(
                environment.for_interpreter(app)
                if role == "framework-spawner"
                else dict(app.env)
            )
            exec_role(python, self.code, role, wanted)
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
