"""A server that runs: in a process of its own, until the block is left."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import processes
from benchmarks.servers.base import Server, Setup

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from benchmarks.sites import Site

PATIENCE = 60.0

# Seconds from the order to stop to the kill.
GRACE = 20.0

# Ports of this run's servers.
given_out: set[int] = set()


class Failed(Exception):
    """A server did not do what it is there for; the text has its log's end."""


class Running:
    """`with Running(server, site, workers) as running: ...`.

    At the end it is told to stop, then killed; nothing of it is left.

    :ivar mark: what its processes have in their environment.
    :ivar seconds_to_first_answer: from its start to its first answer.
    """

    def __init__(self, server: Server, site: Site, worker_count: int) -> None:
        self.server = server
        # Short, because a Unix socket's name is.
        folder = Path(tempfile.mkdtemp(prefix="ptwb-"))
        # A server that root starts may have processes of another user.
        folder.chmod(0o711)
        self.setup = Setup(site, folder, free_port(), worker_count)
        self.url = server.url(self.setup)
        self.log = folder / "log"
        self.seconds_to_first_answer = 0.0
        self.mark = uuid.uuid4().hex
        self._process: subprocess.Popen[bytes] | None = None
        self._successor = 0

    def __enter__(self) -> Running:
        try:
            for name, text in self.server.files(self.setup).items():
                (self.setup.folder / name).write_text(text)
            begin = time.monotonic()
            self._launch()
            self.wait_until(self._answers, "to answer")
            self.seconds_to_first_answer = time.monotonic() - begin
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process that was started, or the one that took its place."""
        assert self._process is not None
        return self._successor or self._process.pid

    def hand_over(self, successor: int) -> None:
        """From now on that process is the server; the one before it may end."""
        self._successor = successor

    def pids(self) -> list[int]:
        """All its processes."""
        return processes.marked(self.mark, self.pid)

    def get(self, path: str, timeout: float = 10.0) -> bytes:
        """The body of an answer on a connection of its own.

        :raises OSError: no answer, or one that is not 200.
        """
        host = self.url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=timeout)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            response = connection.getresponse()
            body = response.read()
        except http.client.HTTPException as error:
            raise OSError(f"{path}: {error!r}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise OSError(f"{path}: status {response.status}")
        return body

    def workers(self) -> set[int]:
        """The pids of the processes that answer, as they say themselves.

        Asks with slow requests, as many at a time as there are places, until
        as many processes as there should be have answered.

        :raises Failed: they did not.
        """
        wanted = 1 if self.server.one_process else self.setup.worker_count
        at_a_time = self.setup.worker_count * self.server.threads
        found: set[int] = set()

        def ask(_: int) -> int:
            return int(self.get("/sleep?40"))

        with ThreadPoolExecutor(at_a_time) as crowd:

            def all_found() -> bool:
                with contextlib.suppress(OSError):
                    found.update(crowd.map(ask, range(at_a_time)))
                return len({pid for pid in found if processes.alive(pid)}) >= wanted

            self.wait_until(all_found, f"to have {wanted} workers")
        return {pid for pid in found if processes.alive(pid)}

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Ask again and again.

        :raises Failed: not within `PATIENCE`, or the server has ended.
        """
        deadline = time.monotonic() + PATIENCE
        while not condition():
            ended = self._ended()
            if ended or time.monotonic() > deadline:
                why = "it ended" if ended else f"not within {PATIENCE:g} s"
                raise Failed(
                    f"{self.server.name} was waited for {what}: {why}\n{self.tail()}"
                )
            time.sleep(0.01)

    def tail(self) -> str:
        """The end of what it wrote."""
        try:
            return self.log.read_text(errors="replace")[-2000:]
        except OSError:
            return ""

    def close(self) -> None:
        """Stop it, kill what is left, remove its folder; interrupted, too."""
        try:
            if self._process is not None:
                self._end(self._process)
                self._process = None
        finally:
            shutil.rmtree(self.setup.folder, ignore_errors=True)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        before = {pid: processes.started(pid) for pid in self.pids()}
        try:
            self._ask_to_end()
        finally:
            # Of those that were there before, some may have lost the mark.
            rest = {pid for pid, at in before.items() if processes.started(pid) == at}
            self._kill(rest | set(self.pids()))
            process.wait()

    def _ask_to_end(self) -> None:
        """Returns when it has ended, or its time is up."""
        if self._ended():
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, self.server.stop_signal)
        deadline = time.monotonic() + GRACE
        while not self._ended() and time.monotonic() < deadline:
            time.sleep(0.01)

    def _kill(self, pids: set[int]) -> None:
        """Returns when they are dead, so that they write no more."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while any(map(processes.alive, pids)) and time.monotonic() < deadline:
            time.sleep(0.01)

    def _ended(self) -> bool:
        if self._successor:
            return not processes.alive(self._successor)
        return self._process is not None and self._process.poll() is not None

    def _launch(self) -> None:
        environment = {
            **os.environ,
            **self.server.environment(self.setup),
            processes.MARK: self.mark,
            "PWD": str(self.setup.site.folder),
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self.server.command(self.setup),
                cwd=self.setup.site.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _answers(self) -> bool:
        try:
            return bool(self.get("/pid", timeout=PATIENCE))
        except OSError:
            return False


def free_port() -> int:
    """A port that nobody listens on, another one each time.

    Servers that start side by side have not taken theirs yet.
    """
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in given_out:
            given_out.add(port)
            return port
