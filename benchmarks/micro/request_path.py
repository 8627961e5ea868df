"""What the controller's own code takes for one request, without the kernel.

Run: ``python -m benchmarks.micro.request_path [requests]``.

Front end, gateway, pool, link and connection are the real ones; what is said on the
sockets of client and worker is played, so that no system call is in the figure but
those for reading the clock.  Prints microseconds for a request: the best of many short
rounds, which a busy machine changes little.  ``queued`` is with 32 clients and 2
workers, so that most requests wait; ``at once`` with one client.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY

from twisted.internet import tcp
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from passtwist.http.access_log import AccessLog
from passtwist.http.config import FrontEndConfig, HttpLimits, Site
from passtwist.http.front import FrontEnd
from passtwist.model import Limits
from passtwist.pool import AppAdded, Pool, PoolLimits, StartSpawn, WorkerReady
from passtwist.service.sessions.gateway import Gateway
from passtwist.service.sessions.link import WorkerLink
from passtwist.wire.session import encode_body, encode_ready, encode_response_start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GENERATOR = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"
BROWSER = (
    b"GET /shop/list?page=2 HTTP/1.1\r\nHost: www.example.org\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Cookie: sessionid=0123456789abcdef0123456789abcdef; csrftoken=abcdef\r\n"
    b"Connection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\n"
    b"Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n"
    b"Sec-Fetch-Site: none\r\nSec-Fetch-User: ?1\r\nPriority: u=0, i\r\n\r\n"
)
HEAD = b"200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n"
ANSWER = encode_response_start(HEAD) + encode_body(b"hello world\n", last=True)
LIMITS = HttpLimits(requests_per_connection=sys.maxsize)
WORKERS = 2
ROUNDS = 1000


class PlayedSocket:
    """Takes whatever is sent."""

    family = socket.AF_UNIX
    send = staticmethod(len)


class PlayedTransport(tcp.Connection):
    """A plain socket's, as far as the front end asks."""

    def __init__(self) -> None:  # without a socket there is nothing to set up
        self.socket: Any = PlayedSocket()  # it is none

    def getHandle(self) -> Any:
        return self.socket

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 40000)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 8080)


class PlayedReactor(Clock):
    """Time stands still, and nobody is told of anything."""

    def addReader(self, reader: object) -> None:
        """Watch nothing."""

    removeReader = addWriter = removeWriter = addReader

    def callFromThread(self, call: Callable[..., Any], *args: Any, **kw: Any) -> None:
        """There is only one thread."""


def still_clock() -> float:
    """Is read, and tells that no time has passed.

    What lies ready for a worker would be had back after a while, and cannot be.
    """
    time.monotonic()
    return 0.0


class PlayedWorker:
    """Listens, and is asked nothing."""

    protocol = "session"
    concurrency = 1
    spawn_method = "smart"
    upgrades = False

    def __init__(self, folder: str, number: int) -> None:
        self.pid = 1000 + number
        self.socket_path = f"{folder}/{number}"
        # It begins with whatever it is sent, at once.
        self.scoreboard = defaultdict[int, object](lambda: ANY)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.socket_path)
        self.listener.listen()


class Path:
    """A request's way, from a client's bytes to a worker's and back."""

    def __init__(self, folder: str, clients: int) -> None:
        reactor = PlayedReactor()
        self.pool = Pool(PoolLimits(max_pool_size=WORKERS))
        self.gateway = Gateway(self.pool, still_clock, lambda action: None)
        self.front = FrontEnd(
            self.gateway,
            [Site("app")],
            FrontEndConfig(limits=LIMITS, spool_dir=folder),
            reactor,
            AccessLog(),
        )
        self.workers: list[Any] = []  # connections; their insides are played with
        # Any: it has what a link asks for, and not the whole of the interface.
        played: Iterator[Any] = iter(
            PlayedWorker(folder, number) for number in range(WORKERS)
        )
        limits = Limits(min_instances=WORKERS, spawn_concurrency=WORKERS, prestart=True)
        for action in self.pool.handle(AppAdded("app", limits), 0.0):
            if isinstance(action, StartSpawn):
                link: Any = WorkerLink(
                    reactor, self.gateway, action.worker, next(played)
                )
                self.gateway.links[action.worker] = link
                link.connect()
                (connection,) = link._all
                connection._send_now = len
                connection.ahead._ours = PlayedSocket()
                connection._received(encode_ready(0))
                self.pool.handle(WorkerReady(action.worker, 1), 0.0)
                self.workers.append(connection)
        self.pool.take_actions()
        self.clients = []
        for _ in range(clients):
            client: Any = self.front.buildProtocol(None)  # Twisted's part has no types
            client.makeConnection(PlayedTransport())
            self.clients.append(client)

    def run(self, requests: int, text: bytes) -> float:
        """Microseconds for each of so many requests from all clients in turn."""
        clients, workers = self.clients, self.workers
        turns = requests // len(clients)
        begun = time.perf_counter()
        for _ in range(turns):
            for client in clients:
                client.dataReceived(text)
            for _ in range(len(clients)):
                busy = workers[0]
                if busy._session is None:
                    workers.reverse()
                    busy = workers[0]
                busy._received(ANSWER)
                workers.reverse()
        return (time.perf_counter() - begun) / (turns * len(clients)) * 1e6


def best(measure: Callable[[], float]) -> float:
    """Of many rounds; what else the machine does makes all but the best slower."""
    return min(measure() for _ in range(ROUNDS))


def main(requests: int) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        for name, clients in (("at once", 1), ("queued", 32)):
            here = os.path.join(folder, name)
            os.mkdir(here)
            path = Path(here, clients)
            for kind, text in (("generator", GENERATOR), ("browser", BROWSER)):
                taken = best(lambda p=path, t=text: p.run(requests, t))  # type: ignore[misc]  # of the loop
                print(f"{name:8} {kind:10} {taken:6.2f} us")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 64)
