"""Turns the pool's notices into log lines.

Runs in: the controller.
"""

from __future__ import annotations

import signal
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger, LogLevel

from passtwist.model import Step
from passtwist.pool import (
    AppStateChanged,
    CrashesInARow,
    PoolDrained,
    RestartBegan,
    RestartFailed,
    RestartFinished,
    RestartSuperseded,
    RestartSwitched,
    SpawnHasFailed,
    WorkerBecameReady,
    WorkerDied,
    WorkerDismissed,
    WorkerEvicted,
    WorkerOverstayed,
    WorkerRecycled,
    WorkerRetired,
    WorkerUnreachable,
)
from passtwist.service.restarts import as_spawn_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from passtwist.errors import SpawnError
    from passtwist.model import ExitStatus, WorkerId
    from passtwist.pool import Notice
    from passtwist.service.running import RunningWorker


_INFO, _WARN = LogLevel.info, LogLevel.warn
_CRASHES = (
    "workers of {app} crash before they answer anything, {pid} the last of several; "
    "none is started for {seconds:.1f} s"
)
# What is said of notices by their fields alone, and the pid of their worker.
_LINES: dict[type, tuple[Any, str]] = {
    WorkerEvicted: (
        _INFO,
        "worker {pid} of {app}, idle for {idle:.1f} s, gives its place to {for_app}",
    ),
    WorkerRetired: (
        _INFO,
        "worker {pid} of {app} was idle for {idle:.0f} s and leaves",
    ),
    WorkerRecycled: (_INFO, "worker {pid} of {app} is replaced: {reason}"),
    WorkerDismissed: (_INFO, "worker {pid} of {app} leaves: {reason}"),
    CrashesInARow: (_WARN, _CRASHES),
    WorkerOverstayed: (
        _WARN,
        "killing worker {pid} of {app}: {sessions} request(s) left after drain_time",
    ),
    RestartBegan: (_INFO, "app {app}: restart {generation} begins: {reason}"),
    RestartSwitched: (
        _INFO,
        "app {app}: restart {generation}: the first worker with new code serves",
    ),
    RestartFinished: (
        _INFO,
        "app {app}: restart {generation} is done in {seconds:.3f} s",
    ),
    RestartSuperseded: (
        _INFO,
        "app {app}: restart {generation} is given up for a newer one",
    ),
    PoolDrained: (_INFO, "the pool is empty"),
}


_FAILURE = (
    "{summary} {advice}\ncategory: {category}; error id: {id}; {who}: {serving}\n"
    "journey: {steps}\n{detail}"
)


class Announcer:
    """Says what happens to workers and apps.

    :param workers: the driver's.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(self, workers: Mapping[WorkerId, RunningWorker]) -> None:
        self._workers = workers
        self._on: dict[type, Callable[[Any], None]] = {
            WorkerBecameReady: self._ready,
            SpawnHasFailed: self._failed,
            RestartFailed: self._restart_failed,
            AppStateChanged: self._state_changed,
            WorkerDied: self._lost,
            WorkerUnreachable: self._lost,
        }

    def announce(self, notice: Notice) -> None:
        """One line for the log."""
        say = self._on.get(type(notice))
        if say is not None:
            say(notice)
            return
        level, text = _LINES[type(notice)]
        facts = {each.name: getattr(notice, each.name) for each in fields(notice)}
        if "worker" in facts:
            facts["pid"] = self._pid(facts["worker"])
        self.log.emit(level, text, **facts)

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
        error = as_spawn_error(notice.app, notice.error)
        text = f"spawn failed: {_FAILURE}"
        self._tell(text, error, "workers that go on serving", notice.serving)

    def _restart_failed(self, notice: RestartFailed) -> None:
        if isinstance(notice.error, str):
            # Not the new code's fault: the server stops, or the app was removed.
            self.log.info(
                "restart {number} of {app} ends unfinished: {why}",
                number=notice.generation,
                app=notice.app,
                why=notice.error,
            )
            return
        error = as_spawn_error(notice.app, notice.error)
        text = f"restart {notice.generation} failed: {_FAILURE}"
        self._tell(text, error, "workers that go on with the old code", notice.serving)

    def _tell(self, text: str, error: SpawnError, who: str, serving: int) -> None:
        steps = " > ".join(
            described(step) for step in error.journey if isinstance(step, Step)
        )
        self.log.error(
            text,
            summary=error.summary,
            advice=error.advice,
            category=error.category,
            id=error.id,
            who=who,
            serving=serving,
            steps=steps,
            detail=error.detail,
        )

    def _state_changed(self, notice: AppStateChanged) -> None:
        self.log.debug(
            "app {app}: {old} -> {new}",
            app=notice.app,
            old=notice.old.value,
            new=notice.new.value,
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
