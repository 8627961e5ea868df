"""Restarts of apps: asked for, watched, and how they ended.

Runs in: the controller.

The pool restarts; it counts an app's restarts in generations, and two that are
asked for together are one.  So who asks wants to know of the first that begins
after that, whichever it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed

from passtwist.errors import SpawnError
from passtwist.model import APP_ERROR
from passtwist.pool import (
    RestartBegan,
    RestartFailed,
    RestartFinished,
    RestartRequested,
    RestartSuperseded,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from passtwist.pool import Event, Notice
    from passtwist.service.apps import App


@dataclass(frozen=True)
class RestartOutcome:
    """How a restart ended.

    :ivar generation: that of the new code.
    :ivar seconds: from its beginning until only new code served; 0 if it failed.
    :ivar error: why the new code did not come up, None if it did.
    :ivar serving: workers with older code that go on serving.
    """

    app: str
    generation: int
    seconds: float = 0.0
    error: SpawnError | None = None
    serving: int = 0


class Restarts:
    """Asks the pool for restarts, and keeps the end of the last of each app.

    :param tell: tells the pool.
    :param apps: by name.
    :ivar followers: called with each restart's outcome.
    """

    def __init__(self, tell: Callable[[Event], None], apps: Mapping[str, App]) -> None:
        self.followers: list[Callable[[RestartOutcome], None]] = []
        self._tell = tell
        self._apps = apps
        self._begun: dict[str, int] = {}
        self._running: set[str] = set()
        self._asked: dict[str, int] = {}
        self._outcomes: dict[str, RestartOutcome] = {}
        self._waiters: list[tuple[str, int, Deferred[RestartOutcome]]] = []

    def begun(self, app: str) -> int:
        """The newest generation that a restart has begun for; 0 for none yet."""
        return self._begun.get(app, 0)

    def is_running(self, app: str) -> bool:
        """Whether a restart of it is under way."""
        return app in self._running

    def request(self, app: str, reason: str) -> int:
        """Ask for a restart.

        :returns: a generation; the restart asked for is the first for a newer one.
        :raises KeyError: there is no such app.
        """
        if app not in self._apps:
            raise KeyError(app)
        after = self._asked[app] = self.begun(app)
        self._tell(RestartRequested(app, reason))
        return after

    def wait(self, app: str, after: int | None = None) -> Deferred[RestartOutcome]:
        """Fires when the restart that was asked for last has ended, well or not.

        One that was replaced by a newer one ends as that does.  Never errbacks.

        :param after: what `request` answered; None: the last time.
        """
        if after is None:
            after = self._asked.get(app, 0)
        outcome = self.outcome(app, after)
        if outcome is not None:
            return succeed(outcome)
        result: Deferred[RestartOutcome] = Deferred()
        self._waiters.append((app, after, result))
        return result

    def outcome(self, app: str, after: int) -> RestartOutcome | None:
        """How the newest restart ended, if it began later than *after*."""
        outcome = self._outcomes.get(app)
        return outcome if outcome is not None and outcome.generation > after else None

    def forget(self, app: str) -> None:
        """It was removed.  Who waits is told so."""
        error = SpawnError(APP_ERROR, f"app {app}: it was removed from the settings")
        generation = self._begun.pop(app, 0) + 1
        self._ended(RestartOutcome(app, generation, error=error))
        self._asked.pop(app, None)
        self._outcomes.pop(app, None)

    def noticed(self, notice: Notice) -> None:
        """The pool says something; most of it is for others."""
        if isinstance(notice, RestartBegan):
            self._begun[notice.app] = notice.generation
            self._running.add(notice.app)
        elif isinstance(notice, RestartFinished):
            self._ended(RestartOutcome(notice.app, notice.generation, notice.seconds))
        elif isinstance(notice, RestartFailed):
            self._give_up(notice)
            error = as_spawn_error(notice.app, notice.error)
            self._ended(
                RestartOutcome(
                    notice.app, notice.generation, error=error, serving=notice.serving
                )
            )
        elif isinstance(notice, RestartSuperseded):
            self._give_up(notice)

    def _give_up(self, notice: RestartFailed | RestartSuperseded) -> None:
        app = self._apps.get(notice.app)
        if app is not None:
            app.give_up(notice.generation)

    def _ended(self, outcome: RestartOutcome) -> None:
        self._outcomes[outcome.app] = outcome
        if outcome.generation >= self.begun(outcome.app):
            self._running.discard(outcome.app)
        for follower in self.followers:
            follower(outcome)
        waiting, self._waiters = self._waiters, []
        for waiter in waiting:
            app, after, deferred = waiter
            if app == outcome.app and outcome.generation > after:
                deferred.callback(outcome)
            else:
                self._waiters.append(waiter)


def as_spawn_error(app: str, error: object) -> SpawnError:
    """What the pool kept as *error*; it may be a sentence."""
    if isinstance(error, SpawnError):
        return error
    return SpawnError(APP_ERROR, f"app {app}: {error}")
