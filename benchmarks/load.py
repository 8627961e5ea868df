"""What the benchmarks share: load by wrk, CPU time from /proc, peers as processes.

Figures of one machine are compared with figures of the same run only.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

HELLO = """\
def application(environ, start_response):
    body = b"hello world\\n"
    start_response(
        "200 OK",
        [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))],
    )
    return [body]
"""

_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_COUNT = re.compile(r"(\d+) requests in")
_ERRORS = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)")


@dataclass(frozen=True)
class Load:
    """What wrk measured."""

    rate: float
    requests: int
    errors: str


def wrk(url: str, seconds: float, connections: int = 32) -> Load:
    """``wrk -t1``, keep-alive."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate, count, errors = _RATE.search(text), _COUNT.search(text), _ERRORS.search(text)
    assert rate and count, text
    return Load(float(rate[1]), int(count[1]), errors[0] if errors else "")


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of processes so far."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> list[int]:
    """*pid* and all processes below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def started_in(folder: Path) -> list[int]:
    """Processes that were started in *folder*, also those that daemonized."""
    mark = b"PWD=" + os.fsencode(folder)
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if mark in variables:
                found.append(int(entry.name))
    return found


def require(*programs: str) -> None:
    """Leave with a clear message when a program is missing."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        sys.exit(f"missing: {', '.join(missing)}; apt-get install {' '.join(missing)}")


def hello_folder() -> Path:
    """A folder with the plain WSGI app that all servers are given."""
    folder = Path(tempfile.mkdtemp(prefix="ptw-bench-"))
    (folder / "passenger_wsgi.py").write_text(HELLO)
    (folder / "public").mkdir()
    (folder / "tmp").mkdir()
    return folder


class Passenger:
    """Debian's Passenger, builtin engine, alone with one app.

    Turbocaching is off because a cache would be measured instead; the update
    check and the telemetry are off because they are calls to the outside.
    """

    def __init__(self, folder: Path, port: int, workers: int = 2) -> None:
        self.url = f"http://127.0.0.1:{port}/"
        self.command = [
            "passenger",
            "start",
            "--engine=builtin",
            "--app-type=wsgi",
            "--startup-file=passenger_wsgi.py",
            "--address=127.0.0.1",
            f"--port={port}",
            "--environment=production",
            f"--max-pool-size={workers}",
            f"--min-instances={workers}",
            "--disable-turbocaching",
            "--disable-security-update-check",
            "--disable-anonymous-telemetry",
            "--no-friendly-error-pages",
            "--log-level=1",
        ]
        if os.geteuid() == 0:
            self.command.append("--user=root")
        self._folder = folder

    def __enter__(self) -> Passenger:
        self.process = subprocess.Popen(
            self.command,
            cwd=self._folder,
            env={**os.environ, "PWD": str(self._folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        wait_for(self.url)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in started_in(self._folder):
            os.kill(pid, signal.SIGKILL)


def wait_for(url: str, patience: float = 60.0) -> None:
    """Wait until *url* answers."""
    deadline = time.monotonic() + patience
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).read()
            return
        except OSError:
            if time.monotonic() > deadline:
                sys.exit(f"{url} does not answer")
            time.sleep(0.1)
