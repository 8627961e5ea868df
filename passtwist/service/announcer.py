"""Turns the pool's notices into log lines.

Runs in: the controller.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from twisted.logger import Logger, LogLevel

from passtwist.errors import SpawnError
from passtwist.model import Step
from passtwist.pool import (
    AppStateChanged,
    PoolDrained,
    SpawnHasFailed,
    WorkerBecameReady,
    WorkerDied,
    WorkerEvicted,
    WorkerRetired,
    WorkerUnreachable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from passtwist.model import ExitStatus, WorkerId
    from passtwist.pool import Notice
    from passtwist.service.running import RunningWorker


class Announcer:
    """Says what happens to workers and apps.

    :param workers: the driver's.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(self, workers: Mapping[WorkerId, RunningWorker]) -> None:
        self._workers = workers

    def announce(self, notice: Notice) -> None:
        """One line for the log."""
        if isinstance(notice, WorkerBecameReady):
            self._ready(notice)
        elif isinstance(notice, SpawnHasFailed):
            self._failed(notice)
        elif isinstance(notice, AppStateChanged):
            self.log.debug(
                "app {app}: {old} -> {new}",
                app=notice.app,
                old=notice.old.value,
                new=notice.new.value,
            )
        elif isinstance(notice, WorkerEvicted):
            self.log.info(
                "worker {pid} of {app}, idle for {idle:.1f} s, gives its place to "
                "{for_app}",
                pid=self._pid(notice.worker),
                app=notice.app,
                idle=notice.idle,
                for_app=notice.for_app,
            )
        elif isinstance(notice, WorkerRetired):
            self.log.info(
                "worker {pid} of {app} was idle for {idle:.0f} s and leaves",
                pid=self._pid(notice.worker),
                app=notice.app,
                idle=notice.idle,
            )
        elif isinstance(notice, WorkerDied | WorkerUnreachable):
            self._lost(notice)
        elif isinstance(notice, PoolDrained):
            self.log.info("the pool is empty")

    def worker_exited(self, running: RunningWorker, status: ExitStatus) -> None:
        """A worker's process is reaped."""
        pid = running.worker.pid if running.worker is not None else 0
        if running.asked_to_leave:
            level, remark = LogLevel.info, ""
        elif status.signal == signal.SIGKILL:
            level, remark = LogLevel.error, "; not by us: out of memory?"
        else:
            level, remark = LogLevel.error, ", which nobody asked for"
        self.log.emit(
            level,
            "worker {pid} of {app} {status}{remark}",
            pid=pid,
            app=running.app,
            status=status.describe(),
            remark=remark,
        )

    def _ready(self, notice: WorkerBecameReady) -> None:
        running = self._workers.get(notice.worker)
        worker = running.worker if running is not None else None
        if worker is not None:
            self.log.info(
                "worker {pid} of {app} ready in {seconds:.3f} s by {method}",
                pid=worker.pid,
                app=notice.app,
                seconds=worker.spawn_seconds,
                method=worker.spawn_method,
            )

    def _failed(self, notice: SpawnHasFailed) -> None:
        error = notice.error
        if not isinstance(error, SpawnError):
            self.log.error("app {app}: {error}", app=notice.app, error=error)
            return
        steps = " > ".join(
            described(step) for step in error.journey if isinstance(step, Step)
        )
        self.log.error(
            "spawn failed: {summary} {advice}\n"
            "category: {category}; error id: {id}; "
            "workers that go on serving: {serving}\n"
            "journey: {steps}\n{detail}",
            summary=error.summary,
            advice=error.advice,
            category=error.category,
            id=error.id,
            serving=notice.serving,
            steps=steps,
            detail=error.detail,
        )

    def _lost(self, notice: WorkerDied | WorkerUnreachable) -> None:
        what = "died" if isinstance(notice, WorkerDied) else "can't be reached"
        self.log.error(
            "worker {pid} of {app} {what} with {sessions} request(s) in it",
            pid=self._pid(notice.worker),
            app=notice.app,
            what=what,
            sessions=notice.sessions,
        )

    def _pid(self, number: WorkerId) -> int:
        running = self._workers.get(number)
        if running is None or running.worker is None:
            return 0
        return running.worker.pid


def described(step: Step) -> str:
    """Who did what, how it ended and after how long."""
    took = "" if step.seconds is None else f" in {step.seconds:.3f} s"
    return f"{step.name} ({step.who} {step.pid}) {step.state}{took}"
