"""What the admin API can do to one process of the server.

Runs in: the controller.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from passtwist.api.commands import CommandError, checked
from passtwist.api.failures import NoStacks
from passtwist.pool import (
    DetachRequested,
    DisableRequested,
    EnableRequested,
    WorkerState,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from passtwist.api.interfaces import ISpawnServer, IStartingWorker, IWorker
    from passtwist.model import WorkerId
    from passtwist.pool import Event, Pool
    from passtwist.pool.views import WorkerView
    from passtwist.service.running import RunningWorker

LEAVING = (WorkerState.DRAINING, WorkerState.STOPPING)
# Pids in a message, for who has mistyped one.
LISTED = 20

# JSON.
Arguments = dict[str, Any]
Answer = dict[str, Any]


class Orders:
    """The commands that take a pid.

    :param tell: tells the pool what was asked for.
    """

    def __init__(
        self,
        pool: Pool,
        workers: Mapping[WorkerId, RunningWorker],
        spawn_server: ISpawnServer,
        tell: Callable[[Event], None],
    ) -> None:
        self._pool = pool
        self._workers = workers
        self._spawn_server = spawn_server
        self._tell = tell

    def detach(self, arguments: Arguments) -> Answer:
        """Let a worker finish what it has, and leave."""
        return self._order(arguments, DetachRequested)

    def disable(self, arguments: Arguments) -> Answer:
        """Give a worker no more sessions, but keep it."""
        return self._order(arguments, DisableRequested)

    def enable(self, arguments: Arguments) -> Answer:
        """Give it sessions again."""
        return self._order(arguments, EnableRequested)

    def backtrace(self, arguments: Arguments) -> Deferred[Answer]:
        """The stacks of all threads of a worker or spawner."""
        pid = checked(arguments, {"pid": int})["pid"]
        for number, running in self._workers.items():
            worker = self._process_of(number, running)
            if worker is not None and worker.pid == pid:
                what = f"worker {pid} of {running.app}"
                return _told(pid, what, worker.stacks())
        for one in self._spawn_server.spawners():
            if one.pid == pid:
                what = f"{one.kind} spawner {pid} of {one.key}"
                return _told(pid, what, one.stacks())
        other = self._what_is(pid)
        if other:
            raise CommandError(404, f"{pid} is the {other}, which tells no stacks")
        raise CommandError(
            404, f"no worker or spawner of this server has the pid {pid}"
        )

    # --- inside ---------------------------------------------------------------

    def _order(
        self, arguments: Arguments, event: Callable[[WorkerId], Event]
    ) -> Answer:
        pid = checked(arguments, {"pid": int})["pid"]
        for number, running in self._workers.items():
            worker = self._process_of(number, running)
            if worker is not None and worker.pid == pid:
                view = self._view_of(number)
                if view is None or view.state in LEAVING:
                    raise CommandError(409, f"worker {pid} is leaving already")
                self._tell(event(number))
                return {"pid": pid, "app": running.app, "sessions": view.sessions}
        raise CommandError(404, self._no_worker(pid))

    def _process_of(
        self, number: WorkerId, running: RunningWorker
    ) -> IWorker | IStartingWorker | None:
        return running.worker or self._spawn_server.starting(number)

    def _view_of(self, number: WorkerId) -> WorkerView | None:
        view = self._pool.view()
        workers = [*view.leaving, *(one for app in view.apps for one in app.workers)]
        return next((one for one in workers if one.id == number), None)

    def _no_worker(self, pid: int) -> str:
        what = self._what_is(pid)
        if what:
            return f"{pid} is no worker but the {what}"
        return f"no worker of this server has the pid {pid}; {self._listed()}"

    def _what_is(self, pid: int) -> str:
        """A process of the server that is no worker, in words; '' for none."""
        if pid == os.getpid():
            return "controller"
        if pid == self._spawn_server.manager_pid():
            return "spawn manager"
        for one in self._spawn_server.spawners():
            if one.pid == pid:
                return f"{one.kind} spawner of {one.key}"
        return ""

    def _listed(self) -> str:
        pids = [
            str(running.worker.pid)
            for running in self._workers.values()
            if running.worker is not None
        ]
        if not pids:
            return "it has no workers"
        more = f" and {len(pids) - LISTED} more" if len(pids) > LISTED else ""
        return f"its workers: {', '.join(pids[:LISTED])}{more}"


def _told(pid: int, what: str, stacks: Deferred[str]) -> Deferred[Answer]:
    def silent(failure: Failure) -> Answer:
        failure.trap(NoStacks)
        raise CommandError(504, f"{what} does not tell: {failure.value}")

    return stacks.addCallbacks(
        lambda text: {"pid": pid, "process": what, "stacks": text}, silent
    )
