"""What passtwist itself says of its processes, from its admin socket."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.servers import Running


# JSON of many shapes; docs/reference has it.
def status(running: Running) -> dict[str, Any]:
    """The status page.

    :raises OSError: it can't be had.
    """
    with socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(10)
        admin.connect(str(running.setup.folder / "run" / "admin.sock"))
        admin.sendall(b"GET /v1/status HTTP/1.0\r\n\r\n")
        data = b""
        while piece := admin.recv(65536):
            data += piece
    page: dict[str, Any] = json.loads(data.partition(b"\r\n\r\n")[2])
    return page


def workers(running: Running) -> list[dict[str, Any]]:
    """Those of the one app."""
    (app,) = status(running)["apps"]
    found: list[dict[str, Any]] = app["workers"]
    return found


def pids_of(running: Running, name: str) -> list[int]:
    """The worker processes of one of several apps."""
    apps = {app["name"]: app for app in status(running)["apps"]}
    return [one["pid"] for one in apps[name]["workers"] if one["pid"]]


def spawner_pids(running: Running) -> list[int]:
    """The processes that have loaded a framework or the app, and fork it."""
    return [one["pid"] for one in status(running)["spawn_server"]["spawners"]]
