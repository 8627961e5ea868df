"""The servers that are measured side by side."""

from __future__ import annotations

from benchmarks.servers.base import HasNone, NotYet, Server, Setup
from benchmarks.servers.behind_nginx import BehindNginx
from benchmarks.servers.granian import Granian
from benchmarks.servers.gunicorn import Gunicorn
from benchmarks.servers.mod_wsgi import ModWsgi
from benchmarks.servers.passenger import Passenger
from benchmarks.servers.passenger_apache import PassengerApache
from benchmarks.servers.passenger_nginx import PassengerNginx
from benchmarks.servers.passtwist import Passtwist
from benchmarks.servers.running import Failed, Running
from benchmarks.servers.twist import TwistWeb
from benchmarks.servers.uwsgi import Uwsgi
from benchmarks.servers.waitress import Waitress

__all__ = [
    "Failed",
    "HasNone",
    "NotYet",
    "Running",
    "Server",
    "Setup",
    "every_server",
    "quick_servers",
]

# One of each kind.
QUICK = (
    "passtwist smart",
    "passenger builtin",
    "gunicorn sync",
    "gunicorn gthread",
    "uwsgi",
    "granian",
)


def every_server() -> list[Server]:
    """All of them, ours first; also those that are not installed."""
    ours = [
        Passtwist(method, threads)
        for method in ("smart", "smart-lv2", "conservative")
        for threads in (1, 4)
    ]
    return [
        *ours,
        Passenger(),
        PassengerApache(),
        PassengerNginx(),
        ModWsgi(),
        ModWsgi(threads=4),
        Gunicorn("sync"),
        Gunicorn("gthread"),
        Gunicorn("gthread", threads=4),
        Gunicorn("sync", preload=True),
        BehindNginx(Gunicorn("sync")),
        Uwsgi(),
        Uwsgi(threads=4),
        Uwsgi(lazy_apps=True),
        Granian(),
        Granian(threads=4),
        Waitress(),
        TwistWeb(),
    ]


def quick_servers() -> list[Server]:
    """Those of a quick run."""
    return [one for one in every_server() if one.name in QUICK]
