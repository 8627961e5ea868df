"""Clients that keep their connection and look whether each answer is theirs."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from benchmarks.load.clients import Clients

if TYPE_CHECKING:
    from benchmarks.servers import Running

TIMEOUT = 10.0

# What a client sees that asks on a connection which the server just closes.
CLOSED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


@dataclass(frozen=True)
class Echo:
    """One request that ended.

    :ivar when: monotonic seconds.
    :ivar verdict: "right", "wrong" (an answer to something else), "failed".
    :ivar pid: of the worker that answered; 0 if none did.
    """

    when: float
    verdict: str
    pid: int = 0


class EchoLoad(Clients):
    """`with EchoLoad(running, 8) as load: ...`; ends with the block.

    :ivar ended: so far; only ever grows.
    :ivar repeated: requests that met a connection which the server had just
        closed.  HTTP lets it, and any client then asks again on a new one;
        if that fails, too, it has failed.
    """

    def __init__(self, running: Running, clients: int) -> None:
        super().__init__(clients)
        self.ended: list[Echo] = []
        self.repeated = 0
        self._host = running.url.removeprefix("http://")
        self._lock = threading.Lock()

    def count(self, verdict: str) -> int:
        """Requests that ended so."""
        return sum(one.verdict == verdict for one in list(self.ended))

    def longest_gap(self) -> float:
        """Seconds without any right answer, between the first and the last end."""
        times = sorted(one.when for one in list(self.ended) if one.verdict == "right")
        last = max((one.when for one in list(self.ended)), default=0.0)
        return max((b - a for a, b in pairwise([*times, last])), default=0.0)

    def pids_since(self, when: float) -> set[int]:
        """Who gave right answers since then."""
        return {one.pid for one in self.ended_since(when) if one.verdict == "right"}

    def ended_since(self, when: float) -> list[Echo]:
        """Requests that ended at *when* or later."""
        begin = len(self.ended)
        while begin and self.ended[begin - 1].when >= when:
            begin -= 1
        return self.ended[begin:]

    def client(self, number: int) -> None:
        """One connection, one request after the other."""
        connection = http.client.HTTPConnection(self._host, timeout=TIMEOUT)
        turn = 0
        while not self.over.is_set():
            turn += 1
            verdict, pid = self._ask(connection, f"{number}-{turn}")
            self.ended.append(Echo(time.monotonic(), verdict, pid))
            if verdict == "failed":
                connection.close()
                # A port that refuses would be asked a thousand times a second.
                self.over.wait(0.01)
        connection.close()

    def _ask(
        self, connection: http.client.HTTPConnection, nonce: str
    ) -> tuple[str, int]:
        kept = connection.sock is not None
        try:
            try:
                status, body = exchange(connection, nonce)
            except CLOSED:
                connection.close()
                if not kept:
                    return "failed", 0
                with self._lock:
                    self.repeated += 1
                status, body = exchange(connection, nonce)
        except (OSError, http.client.HTTPException):
            return "failed", 0
        if status != 200:
            return "failed", 0
        said, _, pid = body.decode("latin-1").strip().rpartition(" ")
        if said != nonce or not pid.isdigit():
            return "wrong", 0
        return "right", int(pid)


def exchange(connection: http.client.HTTPConnection, nonce: str) -> tuple[int, bytes]:
    """One request and its answer, on a connection that is opened if need be."""
    connection.request("GET", f"/echo?{nonce}")
    response = connection.getresponse()
    return response.status, response.read()
