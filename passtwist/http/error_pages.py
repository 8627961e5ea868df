"""The error pages that the front end makes itself.

Runs in: the controller.  Pure.

In production a visitor learns the status and ids that are in the log.  In
development a failed spawn is shown with all that is known about it.
"""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING

from passtwist.http.page_style import PLAIN
from passtwist.http.shown import shown
from passtwist.http.spawn_error_page import spawn_error_page

if TYPE_CHECKING:
    from passtwist.errors import SpawnError

DEVELOPMENT = "development"

# As in RFC 9110; Python's own follow it from 3.13 on.
_PHRASES = {413: "Content Too Large", 414: "URI Too Long"}


def status_text(status: int) -> str:
    """``404 Not Found``."""
    try:
        return f"{status} {_PHRASES.get(status) or HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Error"


def error_page(
    status: int,
    request_id: bytes,
    environment: str,
    reason: str = "",
    error: SpawnError | None = None,
) -> tuple[bytes, bytes]:
    r"""Head block (``b"404 Not Found\r\n..."``) and body of a page.

    :param reason: shown in development only.
    :param error: the failed spawn, shown in development only.
    """
    title = status_text(status)
    shown_id = request_id.decode("latin-1")
    if environment == DEVELOPMENT and error is not None:
        html = spawn_error_page(title, shown_id, error)
    else:
        html = _plain(title, status, shown_id, environment, reason, error)
    head = (
        f"{title}\r\nContent-Type: text/html; charset=utf-8\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
    )
    return head.encode("latin-1"), html


def _plain(
    title: str,
    status: int,
    request_id: str,
    environment: str,
    reason: str,
    error: SpawnError | None,
) -> bytes:
    parts = [f"<h1>{escape(title)}</h1>"]
    if environment == DEVELOPMENT:
        if reason:
            parts.append(f"<p>{escape(shown(reason))}</p>")
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
