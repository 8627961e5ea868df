"""What the access log gets to know of an exchange.

Runs in: the controller; not at all while no access log is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.http.log_format import Entry

if TYPE_CHECKING:
    from passtwist.http.exchange import Exchange

# nginx's number for a client that left before the answer.
_CLIENT_LEFT = 499


def entry_of(exchange: Exchange, complete: bool) -> Entry:
    """What became of *exchange*, which ends now."""
    front, at = exchange.front, exchange.started
    line = exchange.head.line if exchange.head is not None else None
    request, session = exchange.request, exchange.session
    queue = app_time = 0.0
    worker = attempts = 0
    spawn_method = ""
    if session is not None:
        worker, attempts = session.worker_pid, session.attempts
        spawn_method = session.spawn_method
        now, started = front.now(), session.started_at
        # What never got to a worker has waited until now.
        queue = (started or now) - session.queued_at
        app_time = now - started if started else 0.0
    # In the order of its fields: by names it takes twice as long.
    return Entry(
        at,
        front.clock.seconds() - at,
        queue,
        app_time,
        exchange.remote,
        line.method if line is not None else b"",
        line.target if line is not None else b"",
        exchange.http11,
        exchange.status or _CLIENT_LEFT,
        request.body_length if request is not None else 0,
        exchange.sent,
        exchange.pairs,
        exchange.request_id,
        exchange.app,
        worker,
        spawn_method,
        attempts,
        complete,
    )
