"""How long a worker's own loop takes for one request.

Run: ``python -m benchmarks.micro.worker_loop [requests]``.

A worker's loop runs in a process of its own; the driver sends one request, reads
the answer, sends the next.  What is counted is the CPU time of the worker's
process, kernel included.  Both run on one processor: waking another one costs
more than all the rest, and differs from machine to machine.  ``echo`` is what a
loop of nothing but recv and sendall takes.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
import time
from typing import TYPE_CHECKING

from passtwist.wire import session
from passtwist.worker.serving import Server
from passtwist.worker.wsgi import WsgiHalf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

WARM_UP = 1000

# What a front end sends for a request of a load generator, and of a browser.
SMALL = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "REQUEST_URI": "/",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "8080",
    "SERVER_SOFTWARE": "passtwist",
    "REMOTE_ADDR": "127.0.0.1",
    "REMOTE_PORT": "54321",
    "HTTP_HOST": "127.0.0.1:8080",
}
BROWSER = {
    **SMALL,
    "HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101",
    "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "HTTP_ACCEPT_LANGUAGE": "en-US,en;q=0.5",
    "HTTP_ACCEPT_ENCODING": "gzip, deflate, br, zstd",
    "HTTP_CONNECTION": "keep-alive",
    "HTTP_COOKIE": "sessionid=0123456789abcdef0123456789abcdef; csrftoken=abcdef",
    "HTTP_UPGRADE_INSECURE_REQUESTS": "1",
    "HTTP_SEC_FETCH_DEST": "document",
    "HTTP_SEC_FETCH_MODE": "navigate",
    "HTTP_SEC_FETCH_SITE": "none",
    "HTTP_SEC_FETCH_USER": "?1",
    "HTTP_PRIORITY": "u=0, i",
}


def hello(
    environ: dict[str, object], start_response: Callable[..., object]
) -> list[bytes]:
    """An app that costs next to nothing."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello, world!\n"]


def generated(
    environ: dict[str, object], start_response: Callable[..., object]
) -> Iterable[bytes]:
    """The same as an iterator with a length, as frameworks answer."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "14")])
    yield b"Hello, world!\n"


def echo(listener: socket.socket) -> None:
    """The least that any worker must do."""
    connection, _ = listener.accept()
    connection.sendall(session.encode_ready(0))
    while data := connection.recv(16384):
        connection.sendall(data[:64])


def serve(listener: socket.socket, app: Callable[..., object] | None) -> None:
    """A worker's loop with *app*, or the echo."""
    if app is None:
        echo(listener)
        return
    page = memoryview(bytearray(4096)).cast("Q")
    Server(listener, page, WsgiHalf(app, multithread=False), 1).serve()  # type: ignore[arg-type]  # an app of this file


def measure(
    app: Callable[..., object] | None, pairs: dict[str, str], count: int
) -> float:
    """CPU seconds of the worker for each request."""
    path = f"/tmp/worker_loop.{os.getpid()}.sock"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(1)
    pid = os.fork()
    if pid == 0:
        serve(listener, app)
        os._exit(0)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(path)
            client.recv(64)
            flat = [text.encode() for pair in pairs.items() for text in pair]
            request = session.encode_request_start(1, flat, session.LAST)
            drive(client, request, WARM_UP)
            before = cpu_seconds(pid)
            drive(client, request, count)
            return (cpu_seconds(pid) - before) / count
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        listener.close()
        os.unlink(path)


def drive(client: socket.socket, request: bytes, count: int) -> None:
    """Send *request* so often, and read each answer; they fit one read."""
    for _ in range(count):
        client.sendall(request)
        client.recv(65536)


def cpu_seconds(pid: int) -> float:
    """User and system time of the process so far, by the scheduler's clock."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


def main() -> None:
    """Print microseconds for each combination."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    began = time.monotonic()
    print(f"Python {sys.version.split()[0]}, {count} requests each")
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for app in (None, hello, generated):
        for name, pairs in (("small", SMALL), ("browser", BROWSER)):
            best = min(measure(app, pairs, count) for _ in range(3))
            title = app.__name__ if app else "echo"
            print(f"{title:10} {name:8} {best * 1e6:6.1f} µs of worker CPU")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(f"took {time.monotonic() - began:.1f} s, driver {usage.ru_utime:.1f} s")


if __name__ == "__main__":
    main()
