"""Requests to one app all the time, each of which has to be answered rightly.

Runs in: tests.
"""

from __future__ import annotations

import http.client
import itertools
import threading
from typing import TYPE_CHECKING

from passtwist.testing.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from types import TracebackType

    from passtwist.testing.server import RunningServer


class Load:
    """Clients with kept connections, from entering it until leaving it.

    Leaving fails when a request failed.

    :param path: of an app that answers with the body that it was sent.
    :ivar answered: requests that were, so far.
    """

    def __init__(self, server: RunningServer, path: str, clients: int = 4) -> None:
        self.answered = 0
        self.wrong: list[str] = []
        self._server = server
        self._path = path
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        self.wait_for(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            # Something may go wrong only now.
            self.wait_for(20)
        self._is_over.set()
        for thread in self._threads:
            thread.join()
        if kind is None:
            assert self.wrong == []

    def wait_for(self, count: int) -> None:
        """Wait for so many more answers."""
        goal = self.answered + count
        wait_until(lambda: self.answered >= goal or self.wrong, "more answers")

    def _run(self) -> None:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._server.port, PATIENCE
        )
        try:
            while not self._is_over.is_set() and not self.wrong:
                self._ask(connection, f"nonce {next(self._numbers)}".encode())
        except (OSError, http.client.HTTPException) as error:
            self.wrong.append(repr(error))
        finally:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection, nonce: bytes) -> None:
        connection.request("POST", self._path, nonce)
        response = connection.getresponse()
        body = response.read()
        if (response.status, body) != (200, nonce):
            self.wrong.append(f"{nonce!r}: {response.status} {body[:200]!r}")
        with self._lock:
            self.answered += 1
