"""Clients that keep asking on kept connections, and hold every answer against it.

Runs in: tests, in one thread for all clients.
"""

from __future__ import annotations

import random
import selectors
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.storms.client import Client, Lost

CLIENTS = 16
PATIENCE = 40.0  # seconds for one answer; nothing in a storm takes that long


@dataclass
class Tally:
    """What became of the requests.  All lists hold the requests' names.

    :ivar answered: how many were answered rightly, by version of the code.
    :ivar failures: what came instead of an answer: a status such as ``502``,
        ``cut`` (within the answer), ``closed`` (before it), ``late``, ``refused``.
    :ivar failed: what came instead, by request.
    :ivar wrong: answers that are not to what was asked.
    :ivar stale: answers of a version older than was promised when they were asked
        for; see `Crowd.promise`.
    :ivar orders: POST requests, with what each was answered.
    :ivar idle_closes: how often the server closed a kept connection without
        having said so; a GET that meets this is asked again, once.
    :ivar goodbyes: how often it said so.
    """

    requests: int = 0
    answered: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    orders: dict[str, str] = field(default_factory=dict)
    idle_closes: int = 0
    asked_again: list[str] = field(default_factory=list)
    goodbyes: int = 0


class Crowd:
    """CLIENTS connections, each with one request after the other.

    Use it as a context manager: at the end every request has its answer.

    :param rate: requests in a second, of all together; as many as are answered,
        where that is less.
    :param wait: milliseconds that the app takes for a request, at most.
    """

    def __init__(self, port: int, rate: float, seed: int, wait: int = 20) -> None:
        self.tally = Tally()
        self._port = port
        self._interval = CLIENTS / rate
        self._chance = random.Random(seed)
        self._wait = wait
        self._promised = 0
        self._error: BaseException | None = None
        self._over = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._clients = [Client(number) for number in range(CLIENTS)]
        self._due = dict.fromkeys(self._clients, 0.0)
        self._thread = threading.Thread(target=self._run, name="crowd")

    def __enter__(self) -> Crowd:
        now = time.monotonic()
        for number, client in enumerate(self._clients):
            self._due[client] = now + self._interval * number / CLIENTS
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Ask nothing more, and wait for the answers; more than once, if need be.

        :raises Exception: what a client could not do; that is a fault of this code.
        """
        self._over.set()
        self._thread.join()
        self._selector.close()
        if self._error is not None:
            raise self._error

    def promise(self, version: int) -> None:
        """From now on nobody may be answered by code that is older."""
        self._promised = version

    # --- in the thread --------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._over.is_set() or self._waiting():
                self._turn()
        except BaseException as error:  # noqa: BLE001 - raised again at the end
            self._error = error
        finally:
            for client in self._clients:
                client.close()

    def _waiting(self) -> list[Client]:
        return [client for client in self._clients if client.request is not None]

    def _turn(self) -> None:
        now = time.monotonic()
        if not self._over.is_set():
            for client, due in self._due.items():
                if client.request is None and due <= now:
                    # A client that was held up does not make up for it.
                    self._due[client] = max(due + self._interval, now)
                    self._begin(client)
        for client in self._waiting():
            if client.since < now - PATIENCE:
                self._fail(client, "late")
        times = [due for one, due in self._due.items() if one.request is None]
        pause = min([now + 0.1, *times]) - now
        for key, events in self._selector.select(max(pause, 0.001)):
            self._serve(key.data, events)

    def _begin(self, client: Client) -> None:
        size = self._chance.choice((0, 100, 2_000, 2_000, 2_000, 50_000))
        upload = self._chance.choice((10, 10, 1_000, 1_000, 100_000))
        client.ask(
            method="POST" if self._chance.random() < 0.25 else "GET",
            size=size,
            upload=upload,
            wait=int(self._chance.random() ** 4 * self._wait),
            promised=self._promised,
        )
        self.tally.requests += 1
        self._send(client)

    def _send(self, client: Client) -> None:
        """Go on with a request; on a new connection if there is none."""
        try:
            if client.connect(self._port):
                self._selector.register(client.socket, selectors.EVENT_READ, client)
        except OSError:
            self._fail(client, "refused")
            return
        self._write(client)

    def _write(self, client: Client) -> None:
        # What the server has to say of a broken connection is read first.
        events = selectors.EVENT_READ
        if not client.write():
            events |= selectors.EVENT_WRITE
        self._selector.modify(client.socket, events, client)

    def _serve(self, client: Client, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._write(client)
        if not events & selectors.EVENT_READ:
            return
        try:
            answer = client.read()
        except Lost as lost:
            self._lost(client, lost)
            return
        if answer is None:
            return
        request = client.request
        assert request is not None
        if answer.closing:
            self.tally.goodbyes += 1
            self._hang_up(client)
        if answer.status != 200:
            self._fail(client, str(answer.status), hang_up=False)
            return
        version = request.version_in(answer.body)
        if version is None:
            self.tally.wrong.append(request.name)
        else:
            self.tally.answered[version] += 1
            if version < request.promised:
                self.tally.stale.append(request.name)
        self._end(client, "200")

    def _lost(self, client: Client, lost: Lost) -> None:
        """The server has closed the connection."""
        self._hang_up(client)
        request = client.request
        if request is None and lost.begun:
            self.tally.wrong.append("unasked")
        if lost.used and not lost.begun:
            self.tally.idle_closes += 1
            if request is not None and request.method == "GET" and not request.again:
                # RFC 9110 9.2.2: what is safe may be sent again.
                request.again = True
                self.tally.asked_again.append(request.name)
                client.rewind()
                self._send(client)
                return
        if request is not None:
            self._fail(client, "cut" if lost.begun else "closed")

    def _fail(self, client: Client, what: str, hang_up: bool = True) -> None:
        assert client.request is not None
        self.tally.failures[what] += 1
        self.tally.failed[client.request.name] = what
        if hang_up:
            self._hang_up(client)
        self._end(client, what)

    def _end(self, client: Client, what: str) -> None:
        request = client.request
        assert request is not None
        if request.method == "POST":
            self.tally.orders[request.name] = what
        client.request = None

    def _hang_up(self, client: Client) -> None:
        if client.connected:
            self._selector.unregister(client.socket)
            client.close()
