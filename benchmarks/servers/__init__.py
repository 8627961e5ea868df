"""The servers that are measured side by side."""

from __future__ import annotations

from benchmarks.servers.base import HasNone, NotYet, Server, Setup
from benchmarks.servers.gunicorn import Gunicorn
from benchmarks.servers.passtwist import Passtwist
from benchmarks.servers.running import Failed, Running

__all__ = ["Failed", "HasNone", "NotYet", "Running", "Server", "Setup", "every_server"]


def every_server() -> list[Server]:
    """All of them, ours first; also those that are not installed."""
    ours = [
        Passtwist(method, threads)
        for method in ("smart", "smart-lv2", "conservative")
        for threads in (1, 4)
    ]
    return [
        *ours,
        Gunicorn("sync"),
        Gunicorn("gthread"),
        Gunicorn("gthread", threads=4),
        Gunicorn("sync", preload=True),
    ]
