"""The admin API of a server, with the status of its answers.

Runs in: tests.
"""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

from passtwist.testing.waiting import PATIENCE

if TYPE_CHECKING:
    from passtwist.testing.server import RunningServer

Answer = tuple[int, Any]


def ask(server: RunningServer, page: str) -> Answer:
    """GET a page: status and JSON."""
    return _exchange(server, f"GET /v1/{page} HTTP/1.0\r\n\r\n".encode())


def order(server: RunningServer, command: str, arguments: dict[str, Any]) -> Answer:
    """POST a command: status and JSON."""
    body = json.dumps(arguments).encode()
    head = f"POST /v1/{command} HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    return _exchange(server, head.encode() + body)


def _exchange(server: RunningServer, request: bytes) -> Answer:
    with socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(PATIENCE)
        admin.connect(str(server.runtime_dir / "admin.sock"))
        admin.sendall(request)
        data = b""
        while piece := admin.recv(65536):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)
