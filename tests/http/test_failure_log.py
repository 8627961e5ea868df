"""Failed requests in the log, and floods of them."""

from __future__ import annotations

from passtwist.http.failure_log import FailureLog


def test_a_line_names_request_app_status_and_reason(lines):
    """The id is the one on the visitor's page."""
    log = FailureLog()
    log.report("shop", b"id-1", 503, "the queue is full")
    log.report("", b"id-2", 404, "unknown")
    log.tick()
    assert lines == [
        "request id-1 of shop: 503: the queue is full",
        "request id-2 of no app: 404: unknown",
    ]


def test_a_flood_is_counted_instead(lines):
    """Until the next tick."""
    log = FailureLog()
    for number in range(1000):
        log.report("shop", b"id-%d" % number, 503, "full")
    log.tick()
    log.report("shop", b"id-x", 503, "full")
    assert len(lines) == 22
    assert lines[-2:] == [
        "and 980 more failed requests",
        "request id-x of shop: 503: full",
    ]
