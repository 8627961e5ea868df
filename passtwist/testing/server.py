"""A real server in a process of its own, for tests.

Runs in: tests.  Starts `twistd -n passtwist`, talks HTTP to it, reads its
status and its log, and says what it left behind.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from passtwist.testing.apps import OWN_USER
from passtwist.testing.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

# The exit status of a server that stopped as told and had to cut off requests.
CUT_OFF = 3
TWISTD = ["-c", "from twisted.scripts.twistd import run; run()"]
_SERVES = re.compile(r"passtwist serves .* on http://127\.0\.0\.1:(\d+)/")


@dataclass(frozen=True)
class Response:
    """An HTTP response, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()


class RunningServer:
    """`twistd -n passtwist ARGS` on a free port of the loopback interface.

    Use it as a context manager: at the end the server is stopped, and the
    test fails if a process or a file of its is left.

    :ivar arguments: what follows twistd's own flags.
    :param args: what follows ``passtwist``: flags and folders.
    :param before: flags of twistd itself.
    :param tac: run this tac file instead of the subcommand; its settings must
        listen on ``tcp:0:interface=127.0.0.1``; it is told of `runtime_dir`
        by PASSTWIST_RUNTIME_DIR.
    :param python: the interpreter that runs the controller.
    :param default_user: the setting; "" to leave it to a file of settings.
    """

    def __init__(
        self,
        *args: str,
        before: Iterable[str] = (),
        tac: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        python: str = sys.executable,
        default_user: str = OWN_USER,
    ) -> None:
        # Short, because a Unix socket's name is.
        self._folder = Path(tempfile.mkdtemp(prefix="ptw-"))
        # Apps of other users have to reach the runtime directory.
        self._folder.chmod(0o711)
        self.runtime_dir = self._folder / "run"
        self.log_file = self._folder / "log"
        self.arguments = [
            "passtwist",
            "--listen=tcp:0:interface=127.0.0.1",
            f"--runtime-dir={self.runtime_dir}",
        ]
        told = {"PASSTWIST_RUNTIME_DIR": str(self.runtime_dir)}
        if default_user:
            self.arguments.append(f"--default-user={default_user}")
            told["PASSTWIST_DEFAULT_USER"] = default_user
        self.arguments += args
        rest = self.arguments if tac is None else ["-y", tac]
        self._command = [python, *TWISTD, "-n", "--pidfile=", *before, *rest]
        self._env = {**os.environ, **told, **(env or {})}
        self._cwd = cwd or str(self._folder)
        self.port = 0
        self._log_begin = 0
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> RunningServer:
        try:
            return self.start()
        except BaseException:
            self.remove()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self.process.poll() is None:
                self.stop()
            if kind is None:
                self.assert_nothing_left()
        finally:
            if kind is not None:
                sys.stderr.write(f"--- log of the server ---\n{self.log()}\n")
            self.remove()

    # --- life -----------------------------------------------------------------

    def launch(self) -> None:
        """Start it, and wait for nothing."""
        self._log_begin = len(self.log())
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self._cwd,
            )

    def start(self) -> RunningServer:
        """Start it and wait until it listens; again after it has ended, too.

        :raises AssertionError: it ended instead; its log is in the message.
        """
        self.launch()

        def port() -> int | None:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended:\n{self.log()}")
            found = _SERVES.findall(self.log()[self._log_begin :])
            return int(found[-1]) if found else None

        self.port = wait_until(port, "the server to listen")
        return self

    def stop(self, patience: float = PATIENCE) -> int:
        """SIGTERM; answers with the exit status (negative for a signal)."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait_for_exit(patience)

    def wait_for_exit(self, patience: float = PATIENCE) -> int:
        """Wait until it has ended; answers with the exit status."""
        return self.process.wait(patience)

    def kill(self) -> None:
        """SIGKILL: nothing gets a chance to clean up."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def log(self) -> str:
        """All that it has logged."""
        try:
            return self.log_file.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def wait_for_log(self, text: str) -> str:
        """Wait until the log holds *text*; answer the log."""
        return wait_until(
            lambda: log if text in (log := self.log()) else None,
            f"{text!r} in the log:\n{self.log()}",
        )

    # --- talk -----------------------------------------------------------------

    def connect(self, timeout: float = PATIENCE) -> socket.socket:
        """A plain connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = PATIENCE,
    ) -> Response:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            data = answer.read()
            return Response(answer.status, dict(answer.getheaders()), data)
        finally:
            connection.close()

    def get(self, path: str, **options: Any) -> Response:
        """GET on a connection of its own."""
        return self.request("GET", path, **options)

    def status(self) -> dict[str, Any]:
        """The status page, from the admin socket."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.settimeout(PATIENCE)
            admin.connect(str(self.runtime_dir / "admin.sock"))
            admin.sendall(b"GET /v1/status HTTP/1.0\r\n\r\n")
            data = b""
            while piece := admin.recv(65536):
                data += piece
        page: dict[str, Any] = json.loads(data.partition(b"\r\n\r\n")[2])
        return page

    def app(self, name: str) -> dict[str, Any]:
        """One app's part of the status page."""
        apps = {app["name"]: app for app in self.status()["apps"]}
        found: dict[str, Any] = apps[name]
        return found

    def workers(self, name: str, *states: str) -> list[dict[str, Any]]:
        """The workers of an app, those in *states* only if any are given."""
        workers: list[dict[str, Any]] = self.app(name)["workers"]
        return [one for one in workers if not states or one["state"] in states]

    def spawners(self, kind: str) -> list[dict[str, Any]]:
        """The spawners of a kind: ``framework`` or ``app``."""
        spawners: list[dict[str, Any]] = self.status()["spawn_server"]["spawners"]
        return [one for one in spawners if one["kind"] == kind]

    # --- what is left ---------------------------------------------------------

    def processes(self) -> list[int]:
        """Pids of all processes of this server but the controller."""
        mark = os.fsencode(self.runtime_dir / "code")
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    if mark in file.read():
                        found.append(int(entry))
            except OSError:
                continue
        return found

    def remove(self) -> None:
        """End what still runs, and remove its folder; for use without ``with``."""
        process = getattr(self, "process", None)
        if process is not None and process.poll() is None:
            self.kill()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def assert_nothing_left(self) -> None:
        """No process and no socket of the server is left."""
        wait_until(
            lambda: not self.processes(),
            f"these processes to end: {self.processes()}",
            5.0,
        )
        if self.process.returncode in (0, CUT_OFF):
            left = list(self.runtime_dir.rglob("*"))
            assert not left, f"the server left files: {left}"
