"""The error pages that the front end makes itself.

Runs in: the controller.

In production a visitor learns the status and ids that are in the log.  In
development a failed spawn is shown with all that is known about it.  A client
that takes JSON and no HTML gets an object of RFC 9457.
"""

from __future__ import annotations

import json
import time
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from twisted.logger import Logger

from passtwist.api.error_page import ErrorFacts
from passtwist.http.pages.shown import shown
from passtwist.http.pages.spawn_error import spawn_error_page
from passtwist.http.pages.style import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from passtwist.api.interfaces import IErrorPage
    from passtwist.errors import SpawnError

DEVELOPMENT = "development"

# As in RFC 9110; Python's own follow it from 3.13 on.
_PHRASES = {413: "Content Too Large", 414: "URI Too Long"}
_HTML = "text/html; charset=utf-8"
_JSON = "application/problem+json"
_HEAD = (
    "{title}\r\nContent-Type: {type}\r\n"
    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
)
# Our own pages need nothing else; somebody else's may.
_POLICY = "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
_COMPLAIN_EVERY = 60.0

_log = Logger(namespace="passtwist.http")


class Problem(NamedTuple):
    """What a page is to be made of.

    :ivar environment: ``development`` or ``production``.
    :ivar reason: shown in development only.
    :ivar error: the failed spawn, shown in development only.
    :ivar accept: the request's header.
    """

    status: int
    request_id: bytes
    environment: str
    reason: str = ""
    error: SpawnError | None = None
    app: str = ""
    accept: bytes = b""


class ErrorPages:
    """Makes the pages.

    :param own: who is asked first for pages in production, or None.
    :param now: seconds.
    """

    def __init__(
        self, own: IErrorPage | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._own = own
        self._now = now
        self._quiet_until = float("-inf")

    def make(self, problem: Problem) -> tuple[bytes, bytes]:
        r"""Head block (``b"404 Not Found\r\n..."``) and body of a page."""
        if self._own is not None and problem.environment != DEVELOPMENT:
            page = self._from(self._own, problem)
            if page is not None:
                return _head(problem, _HTML, own=False), page
        if _wants_json(problem.accept):
            return _head(problem, _JSON), _as_json(problem)
        return _head(problem, _HTML), _as_html(problem)

    def _from(self, own: IErrorPage, problem: Problem) -> bytes | None:
        facts = ErrorFacts(
            problem.status,
            status_text(problem.status),
            problem.request_id.decode("latin-1"),
            problem.error.id if problem.error is not None else "",
            problem.app,
            _wants_json(problem.accept),
        )
        try:
            page = own.page(facts)
            if page is None or isinstance(page, bytes):
                return page
            raise TypeError(f"a page is bytes, not {type(page).__name__}")
        except Exception:  # noqa: BLE001 - logged; a plugin may do anything
            now = self._now()
            if now >= self._quiet_until:
                self._quiet_until = now + _COMPLAIN_EVERY
                _log.failure("error page {page} failed", page=own.name)
            return None


def status_text(status: int) -> str:
    """``404 Not Found``."""
    try:
        return f"{status} {_PHRASES.get(status) or HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Error"


def _head(problem: Problem, kind: str, own: bool = True) -> bytes:
    head = _HEAD.format(title=status_text(problem.status), type=kind)
    return (head + _POLICY if own else head).encode("latin-1")


def _wants_json(accept: bytes) -> bool:
    """It names JSON and no HTML: a program, not a browser."""
    kinds = accept.lower()
    return b"json" in kinds and b"html" not in kinds


def _as_json(problem: Problem) -> bytes:
    title = status_text(problem.status)
    found: dict[str, object] = {"status": problem.status, "title": title[4:]}
    if problem.environment == DEVELOPMENT:
        reason = problem.error.summary if problem.error else problem.reason
        found["detail"] = shown(reason)
    if problem.error is not None:
        found["error_id"] = problem.error.id
    found["request_id"] = problem.request_id.decode("latin-1")
    return json.dumps(found).encode("ascii") + b"\n"


def _as_html(problem: Problem) -> bytes:
    status, error = problem.status, problem.error
    title = status_text(status)
    request_id = problem.request_id.decode("latin-1")
    parts = [f"<h1>{escape(title)}</h1>"]
    if problem.environment == DEVELOPMENT:
        if error is not None:
            return spawn_error_page(title, request_id, error)
        if problem.reason:
            parts.append(f"<p>{escape(shown(problem.reason))}</p>")
    elif status >= 500:
        parts.append("<p>The application could not answer this request.</p>")
    if error is not None:
        parts.append(f"<p>Error id: <code>{escape(error.id)}</code></p>")
    if request_id:
        parts.append(f"<p>Request id: <code>{escape(shown(request_id))}</code></p>")
    html = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{PLAIN}</style></head>\n<body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )
    return html.encode("utf-8", "replace")
