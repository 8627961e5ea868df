"""One question to the admin API of a running server.

Runs in: the command.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from typing import Any

TIMEOUT = 10.0  # seconds, for connecting and for each piece of the answer
MAX_ANSWER = 64 * 1024 * 1024


class AdminError(Exception):
    """There is no answer; says why."""


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


# Any: JSON, whose shape the caller knows.
def get_json(path: str, target: str) -> dict[str, Any]:
    """The JSON object at *target* of the admin socket *path*.

    :raises AdminError: nobody listens, or the answer is none.
    """
    folder = os.path.dirname(path)
    connection = _Connection(path)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        body = response.read(MAX_ANSWER)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        raise AdminError(
            f"no server is running with the runtime directory {folder}; "
            "if it has another, say --runtime-dir or -c"
        ) from None
    except PermissionError:
        raise AdminError(
            f"the server in {folder} belongs to another user; run this as that "
            "user or as root"
        ) from None
    except TimeoutError:
        raise AdminError(
            f"the server in {folder} has not answered for {TIMEOUT:.0f} seconds"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise AdminError(f"no answer from the server in {folder}: {error}") from None
    finally:
        connection.close()
    if response.status != 200:
        raise AdminError(f"the server in {folder} answered {response.status}")
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise AdminError(f"the server in {folder} answered what is no JSON object")
    return answer
