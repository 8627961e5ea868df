"""The error pages that the front end makes itself: plain HTML, all escaped.

Runs in: the controller.  Pure.

In production a visitor learns the status and an id that is in the log.  In
development a failed spawn is shown with all that is known about it.
"""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING

from passtwist.masking import mask_secrets
from passtwist.model import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from passtwist.errors import SpawnError

DEVELOPMENT = "development"

# As in RFC 9110; Python's own follow it from 3.13 on.
_PHRASES = {413: "Content Too Large", 414: "URI Too Long"}

_STYLE = (
    "body{font:16px/1.5 sans-serif;margin:3em auto;max-width:60em;padding:0 1em}"
    "pre{background:#f4f4f4;overflow:auto;padding:1em}"
    "td,th{padding:.2em 1em .2em 0;text-align:left}"
    ".failed{color:#a00;font-weight:bold}"
)


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
    parts = [f"<h1>{escape(title)}</h1>"]
    if environment == DEVELOPMENT:
        if error is not None:
            parts += _spawn_error(error)
        elif reason:
            parts.append(f"<p>{_shown(reason)}</p>")
    elif status >= 500:
        parts.append("<p>The application could not answer this request.</p>")
    if request_id:
        shown_id = escape(request_id.decode("latin-1"))
        parts.append(f"<p>Request id: <code>{shown_id}</code></p>")
    html = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )
    head = (
        f"{title}\r\nContent-Type: text/html; charset=utf-8\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
    )
    return head.encode("latin-1"), html.encode("utf-8", "replace")


def _spawn_error(error: SpawnError) -> list[str]:
    parts = [f"<p><strong>{_shown(error.summary)}</strong></p>"]
    if error.advice:
        parts.append(f"<h2>What to do</h2><p>{_shown(error.advice)}</p>")
    if error.detail:
        parts.append(f"<h2>Details</h2><pre>{_shown(error.detail)}</pre>")
    steps = [step for step in error.journey if isinstance(step, Step)]
    if steps:
        parts.append(_journey(steps))
    if error.output:
        parts.append(f"<h2>Last output</h2><pre>{_shown(error.output)}</pre>")
    return parts


def _journey(steps: Sequence[Step]) -> str:
    rows = []
    for step in steps:
        seconds = "" if step.seconds is None else f"{step.seconds:.3f} s"
        mark = ' class="failed"' if step.state == "failed" else ""
        cells = (step.who, step.pid or "", step.name, step.state, seconds)
        row = "".join(f"<td>{_shown(str(cell))}</td>" for cell in cells)
        rows.append(f"<tr{mark}>{row}</tr>")
    return (
        "<h2>Journey</h2><table><tr><th>Process</th><th>Pid</th><th>Step</th>"
        "<th>State</th><th>Time</th></tr>" + "".join(rows) + "</table>"
    )


def _shown(text: str) -> str:
    return escape(mask_secrets(text))
