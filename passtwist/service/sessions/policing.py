"""A plugin's say in which worker a request gets.

Runs in: the controller, and only where there is a pool policy: without one,
no request comes by here.
"""

from __future__ import annotations

import re
from operator import index
from typing import TYPE_CHECKING

from twisted.logger import Logger
from zope.interface import implementer

from passtwist.api.interfaces import IResponder
from passtwist.model import WorkerId

if TYPE_CHECKING:
    from collections.abc import Callable

    from passtwist.api.failures import RequestFailure
    from passtwist.api.interfaces import IPoolPolicy, ITunnelEnd
    from passtwist.pool import Pool
    from passtwist.service.sessions.session import Session

# One bad request a visitor may send as often as he likes.
_COMPLAIN_EVERY = 60.0  # seconds

_are_headers = re.compile(
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*"
).fullmatch


class Policing:
    """Asks *policy* before *pool*.

    A policy that raises, or answers what makes no sense, is logged, and the
    request goes where it would without it.

    :param now: seconds on a monotonic clock.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(
        self, policy: IPoolPolicy, pool: Pool, now: Callable[[], float]
    ) -> None:
        self._policy = policy
        self._pool = pool
        self._now = now
        self._quiet_until = 0.0

    def checkout(self, app: str, session: Session, now: float) -> WorkerId | None:
        """As `Pool.checkout`; again when another worker has to take it."""
        if not isinstance(session.responder, PolicedResponder):
            session.responder = PolicedResponder(self, session, session.responder)
        return self._pool.checkout(app, session, now, self._preferred(app, session))

    def headers(self, session: Session) -> bytes:
        """What the response to *session* gets in addition."""
        try:
            worker = int(session.worker)
            lines = self._policy.headers(session.app, session.request, worker)
            if _are_headers(lines):
                return lines
            raise ValueError(f"these are no header lines: {lines!r}")
        except Exception:  # noqa: BLE001 - logged; a plugin may do anything
            self._complain("headers")
            return b""

    def _preferred(self, app: str, session: Session) -> WorkerId | None:
        try:
            # A number of any kind is one; what is none says so here.
            return WorkerId(index(self._policy.prefer(app, session.request))) or None
        except Exception:  # noqa: BLE001 - logged; a plugin may do anything
            self._complain("prefer")
            return None

    def _complain(self, method: str) -> None:
        """Log the exception that is being handled."""
        now = self._now()
        if now >= self._quiet_until:
            self._quiet_until = now + _COMPLAIN_EVERY
            self.log.failure(
                "{method} of pool policy {policy} failed; the request goes where it "
                "would without it",
                method=method,
                policy=self._policy.name,
            )


@implementer(IResponder)
class PolicedResponder:
    """Adds the policy's headers to a response."""

    __slots__ = ("_policing", "_responder", "_session")

    def __init__(
        self, policing: Policing, session: Session, responder: IResponder
    ) -> None:
        self._policing = policing
        self._session = session
        self._responder = responder

    def answer(self, head: bytes, body: bytes) -> None:
        """See `IResponder.answer`."""
        self._responder.answer(head + self._policing.headers(self._session), body)

    def begin(self, head: bytes) -> None:
        """See `IResponder.begin`."""
        self._responder.begin(head + self._policing.headers(self._session))

    def write(self, data: bytes | memoryview) -> None:
        """See `IResponder.write`."""
        self._responder.write(data)

    def finish(self) -> None:
        """See `IResponder.finish`."""
        self._responder.finish()

    def interim(self, head: bytes) -> None:
        """See `IResponder.interim`."""
        self._responder.interim(head)

    def upgrade(self, head: bytes, worker: ITunnelEnd) -> ITunnelEnd | None:
        """See `IResponder.upgrade`."""
        head += self._policing.headers(self._session)
        return self._responder.upgrade(head, worker)

    def fail(self, failure: RequestFailure) -> None:
        """See `IResponder.fail`."""
        self._responder.fail(failure)
