"""Clients that ask once and keep their connection, from a process of its own.

    python -m benchmarks.load.idle_clients URL COUNT

Prints a line "ready" when all have their answer.  When its input ends it prints a
line of JSON, how many connections the server has ended, and goes.
"""

from __future__ import annotations

import argparse
import json
import resource
import selectors
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
# So many ask at a time, so that no queue of the kernel runs over.
AT_A_TIME = 100
PATIENCE = 30.0
# Beside those of the connections.
OTHER_DESCRIPTORS = 50


class IdleClients:
    """`with IdleClients(url, 10_000): ...`: they are there till the block's end.

    :ivar ended: connections that the server has ended meanwhile; after the block.
    """

    def __init__(self, url: str, count: int) -> None:
        self.ended = 0
        module = "benchmarks.load.idle_clients"
        self._command = [sys.executable, "-m", module, url, str(count)]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> IdleClients:
        self._process = process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            process.communicate()
            raise subprocess.CalledProcessError(process.returncode, self._command)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        # Its input ends, and so does it.
        output, _ = self._process.communicate(timeout=PATIENCE)
        if error is None:
            self.ended = json.loads(output)["ended"]


def ask_once(url: str, count: int) -> list[socket.socket]:
    """So many connections, each with an answered request.

    :raises OSError: the server does not answer, or not with 200.
    """
    parts = urlsplit(url)
    address = (parts.hostname or "127.0.0.1", parts.port or 80)
    request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n"
    clients: list[socket.socket] = []
    try:
        while len(clients) < count:
            begin = len(clients)
            clients.extend(
                socket.create_connection(address, PATIENCE)
                for _ in range(min(AT_A_TIME, count - begin))
            )
            for client in clients[begin:]:
                client.sendall(request.encode())
            for client in clients[begin:]:
                if not client.recv(65536).startswith(b"HTTP/1.1 200 "):
                    raise OSError("an idle client has not got its answer")
    except OSError:
        for client in clients:
            client.close()
        raise
    return clients


def ended(clients: list[socket.socket]) -> int:
    """How many of them the server has left."""
    count = 0
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        for key, _ in selector.select(0):
            client = key.fileobj  # type: ignore[assignment]  # it was registered
            try:
                count += client.recv(65536) == b""
            except OSError:
                count += 1
    return count


def main() -> None:
    """Be idle until the input ends."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.idle_clients")
    parser.add_argument("url")
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = options.count + OTHER_DESCRIPTORS
    if hard < needed:
        parser.error(f"needs {needed} descriptors; the limit is {hard} (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clients = ask_once(options.url, options.count)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    json.dump({"ended": ended(clients)}, sys.stdout)
    for client in clients:
        client.close()


if __name__ == "__main__":
    main()
