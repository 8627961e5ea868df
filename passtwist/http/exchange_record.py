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
    line = exchange.head.line if exchange.head is not None else None
    session = exchange.session
    return Entry(
        at=exchange.started,
        seconds=exchange.front.clock.seconds() - exchange.started,
        remote=exchange.remote,
        method=line.method if line else b"",
        target=line.target if line else b"",
        http11=exchange.http11,
        status=exchange.status or _CLIENT_LEFT,
        sent=exchange.sent,
        pairs=exchange.pairs,
        request_id=exchange.request_id,
        app=exchange.app,
        worker=session.worker_pid if session is not None else 0,
        attempts=session.attempts if session is not None else 0,
        complete=complete,
    )
