"""Requests that are to reach each worker of a server, counted by worker."""

from __future__ import annotations

import re
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from benchmarks.servers import Failed

if TYPE_CHECKING:
    from benchmarks.servers import Running

PATH = "/login"
# In the page, and in the head of each answer.
MARK = b"csrfmiddlewaretoken"
find_worker = re.compile(rb"\r\nX-Worker: *([0-9]+)\r\n", re.IGNORECASE).search

TIMEOUT = 30.0  # seconds

# The server chooses who answers.  One that gives a worker less than a quarter
# of its share is given more requests, up to so many times what was asked for.
LEAST_SHARE = 4
MOST = 6


class Spread:
    """Requests of the Django site's login page, each on a connection of its own.

    Kept alive, all requests of a connection would go to one worker of some
    servers and to any worker of others.

    :ivar answered: requests by the pid of the worker that answered.
    """

    def __init__(self, running: Running) -> None:
        self.answered: Counter[int] = Counter()
        self._running = running
        name, _, port = running.url.removeprefix("http://").partition(":")
        self._address = (name, int(port))
        host = f"{name}:{port}"
        self._request = (
            f"GET {PATH} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        ).encode()
        self._workers = 1 if running.server.one_process else running.setup.worker_count

    def send(self, per_worker: int) -> None:
        """Go on until the workers have had *per_worker* requests each, on average.

        Counts what was sent before, too.

        :raises Failed: an answer was none, or a worker had nearly nothing.
        """
        wanted = per_worker * self._workers
        least = -(-per_worker // LEAST_SHARE)
        # Twice as many as there are workers: none has to wait for work.
        at_a_time = 2 * self._workers
        with ThreadPoolExecutor(at_a_time) as crowd:
            while (missing := wanted - self.answered.total()) > 0:
                self.answered.update(crowd.map(self._ask, range(missing)))
            while not self.all_had(least):
                if self.answered.total() > MOST * (wanted + at_a_time):
                    raise Failed(
                        f"{self._workers} workers were to have {least} requests "
                        f"each at least, and had {sorted(self.answered.values())}"
                    )
                self.answered.update(crowd.map(self._ask, range(at_a_time)))

    def all_had(self, least: int) -> bool:
        """As many processes as there should be have answered so many requests."""
        had = [pid for pid, count in self.answered.items() if count >= least]
        return len(had) >= self._workers

    def _ask(self, _: int) -> int:
        """Read and judged as little as will do: it takes the server's processor."""
        try:
            with socket.create_connection(self._address, timeout=TIMEOUT) as client:
                client.sendall(self._request)
                answer = b"".join(iter(lambda: client.recv(1 << 16), b""))
        except OSError as error:
            raise Failed(f"{PATH}: {error!r}\n{self._running.tail()}") from error
        status, worker = answer[9:12], find_worker(answer)
        if status != b"200" or worker is None or MARK not in answer:
            raise Failed(f"{PATH}: {status.decode('latin-1')}\n{self._running.tail()}")
        return int(worker[1])
