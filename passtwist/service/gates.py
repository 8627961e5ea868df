"""Requests that a restart concerns: held until it has ended, or failed by it.

Runs in: the controller, and only for apps with ``always_restart.txt``, and for
those in development whose new code does not start.  Other requests don't come
by here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.api.failures import RequestFailure
from passtwist.api.requests import variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from passtwist.errors import SpawnError
    from passtwist.service.apps import App
    from passtwist.service.restarts import RestartOutcome, Restarts
    from passtwist.service.sessions.gateway import Gateway
    from passtwist.service.sessions.session import Session

DEVELOPMENT = "development"
RETRY_AFTER = 1  # seconds: about what a restart takes


class Gate:
    """Before the pool, for the requests of one app.

    :ivar reason: why no request may be answered by code that was loaded before
        it came; "" when it may.
    :ivar error: why the newest code of an app in development does not start,
        which visitors see; None when it does.
    """

    def __init__(
        self, app: str, gateway: Gateway, restarts: Restarts, limit: int
    ) -> None:
        """
        :param limit: of requests that wait here; 0 for none.
        """
        self.reason = ""
        self._limit = limit
        self.error: SpawnError | None = None
        self._app = app
        self._gateway = gateway
        self._restarts = restarts
        self._is_asked = False
        # With the generation that had begun when it came: it waits for the end
        # of a newer one.
        self._held: list[tuple[int, Session]] = []

    @property
    def is_open(self) -> bool:
        """It has nothing to do."""
        return not (self.reason or self.error or self._held)

    def held(self) -> Iterator[Session]:
        """The requests that wait here."""
        return (session for _, session in self._held if not session.abandoned)

    def admits(self, session: Session) -> bool:
        """Whether the pool may have *session* now; else it is seen to here."""
        if self.reason:
            self._hold(session, self._restarts.begun(self._app))
            if self._held and not self._is_asked:
                self._ask()
            return False
        if self.error is None or not wants_page(session):
            return True
        if self._restarts.is_running(self._app):
            # It may be mended by now.
            self._hold(session, self._restarts.begun(self._app) - 1)
        else:
            self._fail(session, self.error)
        return False

    def ended(self, outcome: RestartOutcome, shows_errors: bool) -> None:
        """A restart has ended; who waited for it goes on."""
        self._is_asked = False
        self.error = outcome.error if shows_errors else None
        held, self._held = self._held, []
        for after, session in held:
            if after >= outcome.generation:
                self._held.append((after, session))
            elif session.abandoned:
                session.ended = True
            elif self.error is not None and wants_page(session):
                self._fail(session, self.error)
            else:
                self._gateway.admit(session)
        if self._held and not self._restarts.is_running(self._app):
            self._ask()

    def _hold(self, session: Session, after: int) -> None:
        if self._limit and len(self._held) >= self._limit:
            self._held = [one for one in self._held if not one[1].abandoned]
            if len(self._held) >= self._limit:
                reason = f"{self._limit} requests wait for a restart already"
                session.fail(RequestFailure(503, reason, RETRY_AFTER))
                return
        self._held.append((after, session))

    def _ask(self) -> None:
        self._is_asked = True
        reason = self.reason or "requests wait for it"
        self._restarts.request(self._app, reason)

    def _fail(self, session: Session, error: SpawnError) -> None:
        reason = f"its new code does not start: {error.summary}"
        session.fail(RequestFailure(500, reason, error=error))


class Gates:
    """Sets up a gate where one is needed.

    :param apps: by name.
    """

    def __init__(
        self, gateway: Gateway, restarts: Restarts, apps: Mapping[str, App]
    ) -> None:
        self._gateway = gateway
        self._restarts = restarts
        self._apps = apps
        restarts.followers.append(self._ended)

    def restart_before_requests(self, app: str, reason: str) -> None:
        """See `IRestartableApp.restart_before_requests`."""
        self._gate(app).reason = reason
        self._tidy(app)

    def held(self) -> Iterator[Session]:
        """All requests that wait for a restart."""
        for gate in self._gateway.gates.values():
            yield from gate.held()

    def _ended(self, outcome: RestartOutcome) -> None:
        app = self._apps.get(outcome.app)
        shows = (
            app is not None
            and app.settings.environment == DEVELOPMENT
            # With no worker left the next request starts one, and sees for itself.
            and outcome.serving > 0
        )
        if outcome.app in self._gateway.gates or (shows and outcome.error):
            self._gate(outcome.app).ended(outcome, shows)
            self._tidy(outcome.app)

    def _gate(self, app: str) -> Gate:
        gates = self._gateway.gates
        if app not in gates:
            limit = self._apps[app].settings.max_queue_size if app in self._apps else 0
            gates[app] = Gate(app, self._gateway, self._restarts, limit)
        return gates[app]

    def _tidy(self, app: str) -> None:
        """Without any gate a request does not even look for one."""
        if self._gateway.gates[app].is_open:
            del self._gateway.gates[app]


def wants_page(session: Session) -> bool:
    """Whether somebody looks at the answer: a browser asks for a page."""
    return b"text/html" in variable(session.request, b"HTTP_ACCEPT")
