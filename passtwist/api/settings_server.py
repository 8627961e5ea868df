"""The settings of a server, each declared once.

Runs in: the controller and the command.  Pure.
"""

from __future__ import annotations

import attrs

from passtwist.api import settings_checks as checks
from passtwist.api.settings_declare import setting
from passtwist.api.settings_kinds import (
    Choice,
    Duration,
    Integer,
    Size,
    Switch,
    Text,
    TextList,
)

ENVIRONMENTS = ("production", "development")


@attrs.frozen(kw_only=True)
class ServerSettings:
    """Section ``[server]``.  Durations are seconds, sizes are bytes."""

    listen: tuple[str, ...] = setting(
        TextList(checks.endpoint, empty=False),
        ["tcp:8080:interface=127.0.0.1"],
        "endpoint strings of Twisted on which to serve HTTP",
        short="l",
        live=True,
    )
    max_pool_size: int = setting(
        Integer(1, 10_000), 6, "workers of all apps together, at most", live=True
    )
    pool_idle_time: float = setting(
        Duration(),
        "300s",
        "a worker above its app's minimum leaves after so long without a request; "
        "0 for never",
        live=True,
    )
    spawner_idle_time: float = setting(
        Duration(),
        "30m",
        "an app spawner leaves so long after its last worker; 0 for never",
        live=True,
    )
    default_user: str = setting(
        Text(),
        "nobody",
        "user of apps that belong to root, or to nobody who has an account, when "
        "the server runs as root; root only if it is written here",
    )
    environment: str = setting(
        Choice(*ENVIRONMENTS),
        "production",
        "what apps and error pages are told",
        live=True,
    )
    runtime_dir: str = setting(
        Text(),
        "",
        "folder of sockets and lock; empty: /run/passtwist for root, "
        "$XDG_RUNTIME_DIR/passtwist, else ~/.local/state/passtwist",
    )
    plugin_files: tuple[str, ...] = setting(
        TextList(), [], "Python files to load as plugins", flag="plugin-file"
    )
    access_log: str = setting(
        Text(), "-", 'path of the access log, "-" or "off"', live=True
    )
    access_log_format: str = setting(
        Choice("combined", "json"), "combined", "how its lines look", live=True
    )
    error_pages: str = setting(
        Text(),
        "",
        "folder of error pages in place of ours: 503.html, 5xx.html; production only",
        live=True,
    )
    powered_by: bool = setting(
        Switch(), False, "send X-Powered-By: passtwist with each response", live=True
    )
    trusted_proxies: tuple[str, ...] = setting(
        TextList(checks.network),
        [],
        'networks of proxies whose forwarding headers count; "unix" for peers on '
        "Unix sockets",
        live=True,
    )
    proxy_hops: int = setting(
        Integer(1, 100),
        1,
        "how many trusted proxies a request passes through",
        live=True,
    )
    proxy_headers: str = setting(
        Choice("x-forwarded", "forwarded"),
        "x-forwarded",
        "which headers they write: X-Forwarded-... or Forwarded; others are dropped",
        live=True,
    )
    drain_delay: float = setting(
        Duration(),
        "0s",
        "on shutdown, go on accepting for so long",
        live=True,
    )
    shutdown_timeout: float = setting(
        Duration(), "30s", "on shutdown, wait so long for requests to end", live=True
    )

    # Deadlines and limits of the front end.
    header_deadline: float = setting(
        Duration(1.0),
        "30s",
        "a request's head must be whole so long after it began",
        live=True,
    )
    body_read_timeout: float = setting(
        Duration(1.0),
        "60s",
        "longest pause between two pieces of a request's body",
        live=True,
    )
    body_grace: float = setting(
        Duration(),
        "20s",
        "a body may be slower than body_min_rate for so long",
        live=True,
    )
    body_min_rate: int = setting(
        Size(),
        500,
        "bytes a second that a request's body must bring; 0 for none",
        live=True,
    )
    send_timeout: float = setting(
        Duration(1.0),
        "60s",
        "longest pause in which a client takes nothing of its response",
        live=True,
    )
    send_min_rate: int = setting(
        Size(),
        500,
        "bytes a second that a client must take, over send_timeout; 0 for none",
        live=True,
    )
    keep_alive: float = setting(
        Duration(), "65s", "an idle connection is closed after so long", live=True
    )
    requests_per_connection: int = setting(
        Integer(1, 1_000_000),
        1000,
        "requests after which a connection is closed",
        live=True,
    )
    max_request_line: int = setting(
        Size(1024), "8KiB", "longest request line, else status 414", live=True
    )
    max_header_fields: int = setting(
        Integer(8, 1000),
        100,
        "most header fields of a request, else status 431",
        live=True,
    )
    max_header_field: int = setting(
        Size(256), "8KiB", "longest header field, else status 431", live=True
    )
    max_header_bytes: int = setting(
        Size(1024), "64KiB", "all header fields together, else status 431", live=True
    )
    max_connections: int = setting(
        Integer(0, 1_000_000),
        0,
        "connections of clients, at most; 0: four fifths of the descriptor limit",
        live=True,
    )
    body_memory: int = setting(
        Size(),
        "64KiB",
        "part of a request's body that is kept in memory, not on disk",
        live=True,
    )
    response_memory: int = setting(
        Size(1024),
        "256KiB",
        "part of a response that waits in memory for a slow client",
        live=True,
    )
    response_spool: int = setting(
        Size(),
        "1GiB",
        "part of a response that waits on disk for a slow client; beyond it the "
        "worker waits",
        live=True,
    )
    max_buffers: int = setting(
        Size(),
        "128MiB",
        "memory for the buffers of all clients together; what exceeds it waits on "
        "disk; 0: no limit",
        live=True,
    )
    spool_dir: str = setting(
        Text(),
        "",
        "folder for what waits on disk, in files without names; empty: the system's "
        "for temporary files",
        live=True,
    )
    max_spool: int = setting(
        Size(),
        "8GiB",
        "room on disk for bodies and responses of all clients together; beyond it "
        "requests get status 503 and workers of responses wait; 0: no limit",
        live=True,
    )
