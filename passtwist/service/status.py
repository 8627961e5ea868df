"""What `status --json` prints (DESIGN section 9).

Runs in: the controller.  Bytes and seconds throughout; memory is the last
sample, None before the first.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from passtwist import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from passtwist.api.interfaces import ISpawnServer
    from passtwist.model import WorkerId
    from passtwist.pool import Pool
    from passtwist.pool.views import AppView, WorkerView
    from passtwist.service.apps import App
    from passtwist.service.memory import MemorySampler
    from passtwist.service.running import RunningWorker
    from passtwist.service.sessions.session import Session


class Status:
    """Puts the page together from what the services know."""

    def __init__(
        self,
        pool: Pool,
        apps: Mapping[str, App],
        workers: Mapping[WorkerId, RunningWorker],
        spawn_server: ISpawnServer,
        memory: MemorySampler,
        now: Callable[[], float],
        instance: str,
        server_state: Callable[[], Mapping[str, object]],
        logs: Callable[[], Mapping[str, object]],
    ) -> None:
        self._pool = pool
        self._apps = apps
        self._workers = workers
        self._spawn_server = spawn_server
        self._memory = memory
        self._now = now
        self._instance = instance
        self._server_state = server_state
        self._logs = logs
        self._started_at = now()

    def page(self) -> dict[str, Any]:
        """The whole of it."""
        view = self._pool.view()
        return {
            "version": __version__,
            "instance": self._instance,
            "pid": os.getpid(),
            "uptime_s": round(self._now() - self._started_at, 3),
            **self._server_state(),
            "pool": {
                "max_pool_size": view.max_pool_size,
                "capacity_used": view.capacity_used,
                "busy": view.busy,
                "queue": view.queue,
            },
            "logs": self._logs(),
            "spawn_server": {
                "pid": self._spawn_server.manager_pid(),
                "spawners": [
                    {
                        "kind": spawner.kind,
                        "pid": spawner.pid,
                        "key": spawner.key,
                        "app": spawner.app,
                        "age_s": round(spawner.age, 3),
                        "memory": self._memory.samples.get(spawner.pid),
                    }
                    for spawner in self._spawn_server.spawners()
                ],
            },
            "apps": [self._app(app) for app in view.apps],
            # Of apps that were removed, with the requests that they still have.
            "leaving": [
                {"app": worker.app, **self._worker(worker)} for worker in view.leaving
            ],
        }

    def _app(self, view: AppView) -> dict[str, Any]:
        app = self._apps[view.name]
        # New code that did not come up is news until other code does, however
        # well more workers of the old are started.
        error = view.restart_error or app.last_spawn_error
        if error is None and view.state == "backing-off":
            error = "its workers crash before they have answered anything"
        return {
            "name": app.name,
            "root": app.settings.root,
            "state": view.state,
            "framework": app.spec.framework if app.spec else app.settings.framework,
            "spawn_method": app.spawn_method,
            "spawn_method_reason": app.spawn_method_reason,
            "generation": view.generation,
            "queue": view.queue,
            "last_spawn_error": None if error is None else str(error),
            "workers": [self._worker(worker) for worker in view.workers],
        }

    def _worker(self, view: WorkerView) -> dict[str, Any]:
        running = self._workers.get(view.id)
        worker = running.worker if running is not None else None
        link = running.link if running is not None else None
        process = worker or self._spawn_server.starting(view.id)
        now = self._now()
        sessions = list(link.running.values()) if link is not None else []
        since = running.since if running is not None else now
        return {
            "pid": process.pid if process is not None else 0,
            "state": view.state.value,
            "enabled": view.enabled,
            "generation": view.generation,
            "sessions": view.sessions,
            "requests": link.requests if link is not None else 0,
            "spawn_method": worker.spawn_method if worker is not None else "",
            "spawn_seconds": (
                round(worker.spawn_seconds, 6) if worker is not None else None
            ),
            "uptime_s": round(now - since, 3),
            "idle_s": (
                round(now - view.idle_since, 3) if view.idle_since is not None else 0.0
            ),
            "memory": self._memory.samples.get(worker.pid)
            if worker is not None
            else None,
            "current": [self._session(session, now) for session in sessions],
        }

    def _session(self, session: Session, now: float) -> dict[str, Any]:
        return {
            "method": session.request.method.decode("latin-1"),
            "path": session.request.path.decode("latin-1"),
            "seconds": round(now - session.started_at, 3),
        }
