"""Fifty slow uploads and fifty slow downloads of 20 MB, and what others notice.

Run: ``python -m benchmarks.micro.slow_transfers [seconds]``.

One worker.  Each transfer is paced so that it takes about as many seconds as asked
for; they begin one by one in the first third of that, because making 20 MB is work
for the worker.  Meanwhile others ask for hello world a hundred times a second.
Printed are the latencies of those, the largest memory of the controller, and how many
transfers came to their end with the right bytes.
"""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.load.open_loop import Kind, Plan, put_on
from benchmarks.processes import cpu_seconds
from benchmarks.servers.passtwist import Passtwist
from benchmarks.servers.running import Running
from benchmarks.sites import ENTRY, Site

COUNT = 50
SIZE = 20_000_000
STEP = 0.05
RATE = 100
SITE = f"""
import hashlib, os, time
BLOCK = bytes(range(250)) * 4000
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    path = environ["PATH_INFO"]
    if path == "/down":
        return (BLOCK for _ in range({SIZE} // len(BLOCK)))
    if path == "/up":
        found = hashlib.sha256()
        while piece := environ["wsgi.input"].read(1 << 18):
            found.update(piece)
        return [found.hexdigest().encode()]
    if path == "/sleep":
        time.sleep(int(environ["QUERY_STRING"]) / 1000)
        return [b"%d" % os.getpid()]
    return [b"hello world\\n"]
"""
BODY = bytes(range(250)) * (SIZE // 250)
DIGEST = hashlib.sha256(BODY).hexdigest()


class Transfer:
    """One slow client: sends or reads its share of each step."""

    def __init__(self, connection: socket.socket, is_upload: bool, share: int) -> None:
        self._connection = connection
        self._share = share
        self._sent = 0 if is_upload else SIZE
        head = f"POST /up HTTP/1.0\r\nContent-Length: {SIZE}\r\n\r\n"
        if not is_upload:
            head = "GET /down HTTP/1.0\r\n\r\n"
        connection.sendall(head.encode())
        connection.setblocking(False)
        self._got = bytearray()
        self.is_over = False

    def step(self) -> None:
        """What it does every so often."""
        try:
            if self._sent < SIZE:
                end = min(SIZE, self._sent + self._share)
                self._sent += self._connection.send(memoryview(BODY)[self._sent : end])
                return
            data = self._connection.recv(self._share)
            self._got += data
            self.is_over = not data
        except BlockingIOError:
            pass

    @property
    def is_right(self) -> bool:
        """It was answered as it should be."""
        body = self._got.partition(b"\r\n\r\n")[2]
        return body in (DIGEST.encode(), BODY)


def crowd(port: int, seconds: float) -> None:
    """Be all the slow ones; print how many of them got what they should."""
    share = int(SIZE / seconds * STEP)
    transfers: list[Transfer] = []
    first = time.monotonic()
    while len(transfers) < 2 * COUNT or not all(one.is_over for one in transfers):
        begin = time.monotonic()
        due = (begin - first) / (seconds / 3) * 2 * COUNT
        while len(transfers) < min(due, 2 * COUNT):
            connection = socket.socket()
            # Else the kernels' buffers would take most of it.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            connection.connect(("127.0.0.1", port))
            transfers.append(Transfer(connection, len(transfers) % 2 == 0, share))
        for one in transfers:
            if not one.is_over:
                one.step()
        time.sleep(max(0.0, STEP - (time.monotonic() - begin)))
    print(sum(one.is_right for one in transfers))


def peak(pid: int) -> int:
    """The largest resident memory of a process so far, in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise OSError("no VmHWM in /proc")


def main(seconds: float) -> None:
    """Print one line for each figure."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "passenger_wsgi.py").write_text(SITE)
        site = Site("transfers", "wsgi", ENTRY, Path(folder))
        with Running(Passtwist(), site, 1) as running:
            alone = latencies(running, 2)
            before, began = peak(running.pid), cpu_seconds(running.pids())
            port = urlsplit(running.url).port
            command = [sys.executable, "-m", __spec__.name, "crowd", str(port)]
            slow = subprocess.Popen([*command, str(seconds)], stdout=subprocess.PIPE)
            beside = latencies(running, int(seconds * 0.8))
            right = int(slow.communicate(timeout=10 * seconds + 60)[0])
            spent = cpu_seconds(running.pids()) - began
            grown = peak(running.pid) - before
    print(f"alone:    p50 {alone[0]:.1f} ms, p99 {alone[1]:.1f} ms")
    print(
        f"beside:   p50 {beside[0]:.1f} ms, p99 {beside[1]:.1f} ms, {beside[2]} errors"
    )
    print(f"right:    {right} of {2 * COUNT} transfers")
    print(
        f"memory:   {before / 1024:.0f} MiB before, {grown / 1024:.0f} MiB more at most"
    )
    print(f"CPU time: {spent:.1f} s of all processes")


def latencies(running: Running, seconds: int) -> tuple[float, float, int]:
    """p50 and p99 in ms of the fast requests, and how many failed."""
    plan = Plan(running.url, (Kind("fast", "/", length=12),), seconds, RATE)
    found = put_on(plan).kinds["fast"]
    return found.latency.p50, found.latency.p99, found.errors


if __name__ == "__main__":
    if sys.argv[1:2] == ["crowd"]:
        crowd(int(sys.argv[2]), float(sys.argv[3]))
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 40.0)
