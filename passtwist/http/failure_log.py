"""Logs why requests failed, without letting a flood of failures cost anything.

Runs in: the controller.
"""

from __future__ import annotations

from twisted.logger import Logger

_log = Logger(namespace="passtwist.http")

# So many lines between two ticks; the others are counted.
_LINES = 20


class FailureLog:
    """Writes one line for each failed request, up to a rate."""

    def __init__(self) -> None:
        self._written = 0
        self._hidden = 0

    def report(self, app: str, request_id: bytes, status: int, reason: str) -> None:
        """One request of *app* was answered with *status* because of *reason*."""
        self._written += 1
        if self._written > _LINES:
            self._hidden += 1
            return
        _log.warn(
            "request {request_id} of {app}: {status}: {reason}",
            request_id=request_id.decode("latin-1"),
            app=app or "no app",
            status=status,
            reason=reason,
        )

    def tick(self) -> None:
        """A second has passed."""
        if self._hidden:
            _log.warn("and {count} more failed requests", count=self._hidden)
        self._written = self._hidden = 0
