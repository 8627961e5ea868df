"""What the admin API can do about restarts, and tell of them.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from passtwist.api.commands import CommandError, checked
from passtwist.pool import WorkerState
from passtwist.service.restarts import as_spawn_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twisted.internet.defer import Deferred

    from passtwist.model import WorkerId
    from passtwist.pool import Pool
    from passtwist.pool.views import AppView
    from passtwist.service.restarts import RestartOutcome, Restarts
    from passtwist.service.running import RunningWorker

REASON = "it was ordered by the admin API"
SERVING = (WorkerState.IDLE, WorkerState.BUSY)

# JSON.
Answer = dict[str, Any]


class RestartOrders:
    """The command ``restart`` and the page ``restarts``.

    :param workers: the driver's.
    :param now: seconds on the pool's clock.
    """

    def __init__(
        self,
        restarts: Restarts,
        pool: Pool,
        workers: Mapping[WorkerId, RunningWorker],
        now: Callable[[], float],
    ) -> None:
        self._restarts = restarts
        self._pool = pool
        self._workers = workers
        self._now = now

    def restart(self, arguments: Answer) -> Answer | Deferred[Answer]:
        """Restart an app; with ``wait`` the answer comes when that has ended.

        ``after`` in the answer is what the page has to be asked with.
        """
        given = checked(arguments, {"app": str}, {"wait": False})
        app = given["app"]
        self._view(app)
        after = self._restarts.request(app, REASON)
        if not given["wait"]:
            return self.page(app, str(after))
        waiting = self._restarts.wait(app, after)
        return waiting.addCallback(lambda _: self.page(app, str(after)))

    def page(self, app: str = "", after: str = "0") -> Answer:
        """How the restart of *app* is going, the first that began later than *after*.

        ``state`` is asked, restarting, finished or failed.  An ``error`` while it
        is restarting: the new code serves, but the last attempt to start one more
        worker with it failed; it is tried again.
        """
        if not after.isdecimal():
            raise CommandError(400, "after must be a whole number")
        view = self._view(app)
        number = int(after)
        outcome = self._restarts.outcome(app, number)
        found: Answer = {
            "app": app,
            "after": number,
            "state": "asked",
            "generation": None,
            "replaced": 0,
            "left": 0,
            "seconds": 0.0,
            "serving": 0,
            "workers": [],
            "error": None,
        }
        if outcome is not None:
            found.update(_ended(outcome))
        elif view.restarting is not None and view.restarting.generation > number:
            going = view.restarting
            found.update(
                state="restarting",
                generation=going.generation,
                replaced=going.replaced,
                left=going.left,
                seconds=round(self._now() - going.began_at, 3),
            )
            if going.replaced:  # else that may be an error of the old code
                found["error"] = _told(app, view.last_spawn_error)
        if found["generation"] is not None:
            found["workers"] = self._pids(view, found["generation"])
        return found

    def _view(self, app: str) -> AppView:
        apps = self._pool.view().apps
        found = next((one for one in apps if one.name == app), None)
        if found is None:
            known = ", ".join(one.name for one in apps) or "none"
            raise CommandError(404, f"there is no app {app!r}; there are: {known}")
        return found

    def _pids(self, view: AppView, generation: int) -> list[int]:
        """Of the workers of that generation that serve."""
        running = [
            self._workers.get(one.id)
            for one in view.workers
            if one.generation == generation and one.state in SERVING
        ]
        return [one.worker.pid for one in running if one is not None and one.worker]


def _ended(outcome: RestartOutcome) -> Answer:
    return {
        "state": "finished" if outcome.error is None else "failed",
        "generation": outcome.generation,
        "seconds": round(outcome.seconds, 3),
        "serving": outcome.serving,
        "error": _told(outcome.app, outcome.error),
    }


def _told(app: str, fault: object | None) -> Answer | None:
    if fault is None:
        return None
    error = as_spawn_error(app, fault)
    return {
        "category": error.category,
        "summary": error.summary,
        "advice": error.advice,
        "detail": error.detail,
        "id": error.id,
    }
