"""Does what the pool wants done, and tells it what came of it.

Runs in: the controller.
"""

from __future__ import annotations

import random
import signal
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from passtwist.errors import SpawnError
from passtwist.model import INTERNAL, LAYER_DIED, WorkerId
from passtwist.pool import (
    Announce,
    KillWorker,
    ReleaseSpawners,
    SpawnFailed,
    StartSpawn,
    StopWorker,
    TimePassed,
    WakeAt,
    WorkerExited,
    WorkerReady,
)
from passtwist.service.announcer import Announcer
from passtwist.service.health import HealthCheck, has_loaded_code
from passtwist.service.running import RunningWorker
from passtwist.service.sessions.links import link_to
from passtwist.service.wakeups import WakeUps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twisted.python.failure import Failure

    from passtwist.api.interfaces import ISpawnToolkit, IWorker
    from passtwist.api.reactors import Reactor
    from passtwist.model import ExitStatus
    from passtwist.pool import Action, Notice
    from passtwist.service.apps import App
    from passtwist.service.health import MakeRequest
    from passtwist.service.sessions.gateway import Gateway
    from passtwist.service.sessions.links import Link

# A worker that was asked to leave has nothing to do any more but its own
# clean-up (hooks, atexit), which it limits to 5 s itself.
LEAVE_WITHIN = 10.0  # seconds
# The connections of a process that dies end a moment before it can be reaped.
DIE_WITHIN = 1.0  # seconds
# What a health check has of start_timeout at least, however long the spawn took.
LEAST_PATIENCE = 1.0  # seconds


class Driver:
    """Performs the pool's actions on workers.

    :ivar workers: by number; from the decision to spawn until reaped.
    :ivar listeners: told of each of the pool's notices.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(
        self,
        reactor: Reactor,
        now: Callable[[], float],
        apps: Mapping[str, App],
        toolkit: ISpawnToolkit,
        health_request: MakeRequest,
        poller: Reactor | None = None,
    ) -> None:
        """
        :param poller: watches the connections to workers, in place of *reactor*.
        """
        self.workers: dict[WorkerId, RunningWorker] = {}
        self.listeners: list[Callable[[Notice], None]] = []
        self._reactor = reactor
        self._poller = poller or reactor
        self._now = now
        self._apps = apps
        self._toolkit = toolkit
        self._health_request = health_request
        self._announcer = Announcer(self.workers)
        self._wakeups = WakeUps(reactor, now, self._time_passed)
        self._all_gone: list[Deferred[None]] = []
        self.gateway: Gateway

    def perform(self, action: Action) -> None:
        """Do one of the pool's actions."""
        if isinstance(action, Announce):
            self._announcer.announce(action.notice)
            for listener in self.listeners:
                listener(action.notice)
        elif isinstance(action, WakeAt):
            self._wakeups.wake_at(action.time)
        elif isinstance(action, StartSpawn):
            self._start(action)
        elif isinstance(action, StopWorker):
            self._stop(action.worker, action.reason)
        elif isinstance(action, KillWorker):
            self._kill(action.worker)
        elif isinstance(action, ReleaseSpawners):
            self._release(action)

    def when_all_gone(self) -> Deferred[None]:
        """Fires when no worker is left."""
        result: Deferred[None] = Deferred()
        self._all_gone.append(result)
        self._check_all_gone()
        return result

    def stop(self) -> None:
        """Wake nobody any more."""
        self._wakeups.stop()

    # --- spawning -------------------------------------------------------------

    def _start(self, action: StartSpawn) -> None:
        running = RunningWorker(action.app, action.generation, self._now())
        running.check_health = action.check_health
        self.workers[action.worker] = running
        number = action.worker
        running.spawn = self._apps[action.app].spawn(number, action.generation)
        running.spawn.addCallback(self._spawned, number, running)
        running.spawn.addErrback(self._spawn_failed, number, running)

    def _spawned(
        self, worker: IWorker, number: WorkerId, running: RunningWorker
    ) -> Deferred[None]:
        running.worker = worker
        running.spawn = None
        worker.when_exited().addCallback(self._exited, number, running)
        app = self._apps.get(running.app)
        unproven = running.check_health or has_loaded_code(worker)
        if not unproven or app is None or not app.settings.health_check:
            return self._connect(worker, number, running)
        check = HealthCheck(
            self._reactor,
            worker,
            app.settings,
            next(self.gateway.numbers),
            self._health_request,
        )
        left = app.settings.start_timeout - (self._now() - running.since)
        healthy = check.begin(max(left, LEAST_PATIENCE))
        return healthy.addCallback(lambda _: self._connect(worker, number, running))

    def reopen_logs(self) -> None:
        """The files that workers print to were moved away."""
        for running in self.workers.values():
            app = self._apps.get(running.app)
            if running.worker is not None and (app is None or app.settings.log_file):
                running.worker.reopen_log()

    def _connect(
        self, worker: IWorker, number: WorkerId, running: RunningWorker
    ) -> Deferred[None]:
        link = link_to(self._poller, self.gateway, number, worker)
        running.link = link
        connected = link.connect()
        connected.addCallback(self._connected, number, running, link)
        return connected

    def _connected(
        self, _: None, number: WorkerId, running: RunningWorker, link: Link
    ) -> None:
        self.gateway.links[number] = link
        if running.app in self._apps:
            self._apps[running.app].came_up(running.generation)
        assert running.worker is not None
        concurrency = running.worker.concurrency
        self.gateway.tell(WorkerReady(number, concurrency, random.random()))

    def _spawn_failed(
        self, failure: Failure, number: WorkerId, running: RunningWorker
    ) -> None:
        running.spawn = None
        wanted = not running.asked_to_leave
        error = failure.value
        if not isinstance(error, SpawnError):
            if running.worker is None and wanted:
                self.log.failure("spawning {app}", failure, app=running.app)
            text = f"app {running.app}: {failure.getErrorMessage()}"
            error = SpawnError(INTERNAL, text)
        if wanted and running.app in self._apps:
            self._apps[running.app].spawn_failed(running.generation, error)
        if running.worker is None:
            self._forget(number)
        # A death of a layer is no failure of the app.
        innocent = error.category == LAYER_DIED
        self.gateway.tell(SpawnFailed(number, error, random.random(), innocent))
        if running.worker is not None:
            # It was ready but could not be connected to.
            running.worker.kill()
            running.asked_to_leave = True

    def _release(self, action: ReleaseSpawners) -> None:
        app = self._apps.get(action.app)
        if app is not None and action.below is not None:
            app.release(action.below)
        # Also what an app of that name has left that is no more.
        self._toolkit.retire(action.app, action.below)

    # --- ending ---------------------------------------------------------------

    def _stop(self, number: WorkerId, reason: str) -> None:
        running = self.workers.get(number)
        if running is None or running.worker is None:
            return
        running.asked_to_leave = True
        self.gateway.links.pop(number, None)
        if running.link is not None:
            running.link.close()
        running.worker.terminate()
        if running.deadline is None:
            running.deadline = self._reactor.callLater(
                LEAVE_WITHIN, self._too_slow, number, reason
            )

    def _too_slow(self, number: WorkerId, reason: str) -> None:
        running = self.workers[number]
        running.deadline = None
        if running.worker is not None:
            self.log.warn(
                "worker {pid} of {app} did not leave within {seconds:g} s "
                "({reason}); killing it",
                pid=running.worker.pid,
                app=running.app,
                seconds=LEAVE_WITHIN,
                reason=reason,
            )
            running.worker.kill()

    def _kill(self, number: WorkerId) -> None:
        running = self.workers.get(number)
        if running is None:
            return
        if running.worker is None:
            if running.spawn is not None:
                running.asked_to_leave = True
                running.spawn.cancel()
        elif running.is_lost and running.deadline is None:
            # Most likely it is dying already, and whoever killed it, for want
            # of memory perhaps, must not be taken for us.
            running.deadline = self._reactor.callLater(
                DIE_WITHIN, self._lives_on, number
            )
        else:
            running.worker.kill()
            running.asked_to_leave = True

    def _lives_on(self, number: WorkerId) -> None:
        running = self.workers[number]
        running.deadline = None
        if running.link is not None and running.link.running:
            # Somebody else asked it to leave, and it finishes what it has begun.
            running.deadline = self._reactor.callLater(
                DIE_WITHIN, self._lives_on, number
            )
        elif running.worker is not None:
            self.log.warn(
                "worker {pid} of {app} lives on without its connections; "
                "asking it to leave",
                pid=running.worker.pid,
                app=running.app,
            )
            running.asked_to_leave = True
            running.worker.terminate()
            running.deadline = self._reactor.callLater(
                LEAVE_WITHIN, self._too_slow, number, "its connections broke"
            )

    def _exited(
        self, status: ExitStatus, number: WorkerId, running: RunningWorker
    ) -> None:
        assert running.worker is not None
        if running.deadline is not None:
            running.deadline.cancel()
            running.deadline = None
        self.gateway.links.pop(number, None)
        self._announcer.worker_exited(running, status)
        # The pool first: what the link gives back must not be routed here.
        by_others = status.signal == signal.SIGKILL and not running.asked_to_leave
        self.gateway.tell(WorkerExited(number, innocent=by_others))
        # Now that what the pool says of it was logged, with its pid.
        self._forget(number)
        if running.link is not None:
            running.link.worker_exited()

    def _forget(self, number: WorkerId) -> None:
        self.workers.pop(number, None)
        self._check_all_gone()

    def _check_all_gone(self) -> None:
        if not self.workers:
            waiting, self._all_gone = self._all_gone, []
            for deferred in waiting:
                deferred.callback(None)

    def _time_passed(self) -> None:
        self.gateway.tell(TimePassed())
