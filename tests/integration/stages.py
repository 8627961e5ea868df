"""Apps whose processes start, serve and leave only as far as a test lets them.

Runs in: tests.
"""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING, Any

from passtwist.testing.waiting import wait_until
from tests.integration.admin import order
from tests.integration.sites import Site

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from passtwist.testing.server import RunningServer

# Each load has a number; a worker has that of its own, as the app is conservative.
CODE = """
import atexit, os, socket, threading, time
from probe_app import HERE, application, note, wait_for_gate


def take_number():
    number = 1
    while True:
        try:
            (HERE / ("load-%d" % number)).touch(exist_ok=False)
            return number
        except FileExistsError:
            number += 1


def is_free():
    for first in HERE.glob("free-from-*"):
        if NUMBER >= int(first.name.rpartition("-")[2]):
            return True
    return (HERE / ("gate-load-%d" % NUMBER)).exists()


def fails():
    for first in HERE.glob("fail-from-*"):
        if NUMBER >= int(first.name.rpartition("-")[2]):
            return True
    return (HERE / ("fail-%d" % NUMBER)).exists()


def hang_up():
    '''Listen somewhere else, and end all connections; live on.'''
    wait_for_gate("hang-up")
    other = socket.socket(socket.AF_UNIX)
    other.bind("")
    other.listen()
    connected = []
    for name in os.listdir("/proc/self/fd"):
        try:
            one = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            if int(name) != other.fileno():
                os.dup2(other.fileno(), int(name), inheritable=False)
        else:
            connected.append(one)
    for one in connected:
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


@atexit.register
def leave():
    note("leaving %d" % NUMBER)
    if (HERE / "lingers").exists():
        wait_for_gate("leave")


NUMBER = take_number()
note("loading %d" % NUMBER)
while not is_free():
    time.sleep(0.005)
if fails():
    raise RuntimeError("load %d fails" % NUMBER)
if (HERE / "hangs-up").exists():
    threading.Thread(target=hang_up, daemon=True).start()
"""


class Stage(Site):
    """The probe, of which each process waits for the test before it is loaded.

    With `lingers` it waits for the gate ``leave`` before it ends, too.
    """

    server: RunningServer

    def __init__(self, folder: Path, name: str, **keys: object) -> None:
        merged = {"spawn_method": "conservative", "base_uri": f"/{name}", **keys}
        super().__init__(folder, name, **merged)
        (self.root / "passenger_wsgi.py").rename(self.root / "probe_app.py")
        self.write("passenger_wsgi.py", CODE)
        self._clients: list[socket.socket] = []

    # --- what its processes may do --------------------------------------------

    def mark(self, name: str) -> None:
        """Such as ``lingers``, or ``free-from-2``: from then on loads may go on."""
        (self.root / name).touch()

    def load(self, number: int) -> None:
        """Let a load go on, once it is under way."""
        self.wait_for_notes(f"loading {number}")
        self.open_gate(f"load-{number}")

    def fail(self, number: int) -> None:
        """Let it go on, and fail."""
        self.mark(f"fail-{number}")
        self.load(number)

    def end(self) -> None:
        """Let everything go on, for the server to come to its end."""
        self.mark("free-from-1")
        self.open_gate("leave")
        for client in self._clients:
            client.close()

    # --- requests ---------------------------------------------------------------

    def ask(self, path: str = "/") -> socket.socket:
        """A client that has asked for *path*."""
        client = self.server.connect()
        self._clients.append(client)
        client.sendall(f"GET /{self.name}{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        return client

    def begin(self, gate: str) -> socket.socket:
        """A client whose request runs, in a worker there is, until *gate* is opened."""
        client = self.ask(f"/wait?gate={gate}")
        self.wait_for_notes(f"begun {gate}")
        return client

    def hire(self, number: int) -> None:
        """Have its next worker, which that load is for, answer a request."""
        client = self.ask()
        self.load(number)
        assert status_of(client) == 200

    def occupy(self, number: int, gate: str) -> socket.socket:
        """The same, but the request runs until *gate* is opened; its client."""
        client = self.ask(f"/wait?gate={gate}")
        self.load(number)
        self.wait_for_notes(f"begun {gate}")
        return client

    # --- its workers ------------------------------------------------------------

    def pid(self, state: str) -> int:
        """Of its only worker in *state*."""
        (worker,) = self.server.workers(self.name, state)
        pid: int = worker["pid"]
        return pid

    def kill(self, state: str) -> None:
        """Kill its only worker in *state*."""
        os.kill(self.pid(state), signal.SIGKILL)

    def order(self, command: str, state: str) -> None:
        """``detach``, ``disable`` or ``enable`` its only worker in *state*."""
        assert order(self.server, command, {"pid": self.pid(state)})[0] == 200

    def restart(self) -> None:
        """Order a restart."""
        assert order(self.server, "restart", {"app": self.name})[0] == 200

    # --- its status -------------------------------------------------------------

    def becomes(
        self,
        state: str,
        *workers: str,
        queue: int = 0,
        generation: int = 0,
        error: str | None = None,
    ) -> list[dict[str, Any]]:
        """Wait until status says exactly this; the rows of its workers.

        :param workers: the oldest first, each with state and generation, such as
            ``idle 0``, and ``disabled`` after it if it is.
        :param error: a pattern for the last error of a spawn, None for none.
        """
        expected = (state, generation, queue, list(workers))

        def fitting() -> dict[str, Any] | None:
            app = self.truth()
            found = app["last_spawn_error"]
            fits = found is None if error is None else re.search(error, found or "")
            return app if fits and look(app) == expected else None

        try:
            app = wait_until(fitting, f"{self.name} to be {expected}, {error}")
        except AssertionError as late:
            now = self.truth()
            raise AssertionError(
                f"{late}; it is {look(now)}, {now['last_spawn_error']}"
            ) from None
        rows: list[dict[str, Any]] = app["workers"]
        return rows

    def truth(self) -> dict[str, Any]:
        """Its part of the status, after a look whether the page contradicts itself."""
        page = self.server.status()
        apps = page["apps"]
        workers = [worker for app in apps for worker in app["workers"]]
        assert page["pool"]["queue"] == sum(app["queue"] for app in apps)
        assert page["pool"]["busy"] == sum(one["sessions"] > 0 for one in workers)
        for one in workers:
            contradiction = CONTRADICTIONS[one["state"]](one)
            assert not contradiction, one
        for app in apps:
            takes = {one["state"] for one in app["workers"] if one["enabled"]}
            serves = app["state"] in ("ready", "restarting", "degraded")
            assert serves == bool(takes & {"idle", "busy"}), app
            assert app["state"] not in TROUBLE or app["last_spawn_error"], app
        (found,) = [app for app in apps if app["name"] == self.name]
        return dict(found)


def status_of(client: socket.socket) -> int:
    """Of the answer to what *client* has asked for; it leaves then."""
    with client:
        return int(client.recv(65536).split()[1])


TROUBLE = ("degraded", "backing-off")
# What a worker can't be in each state.
CONTRADICTIONS = {
    "starting": lambda one: one["sessions"] or one["requests"] or one["current"],
    "idle": lambda one: one["sessions"] or one["current"] or not one["pid"],
    "busy": lambda one: one["sessions"] != len(one["current"]) or one["idle_s"],
    "draining": lambda one: one["sessions"] != len(one["current"]) or one["idle_s"],
    "stopping": lambda one: one["sessions"] or one["idle_s"],
}


def look(app: dict[str, Any]) -> tuple[str, int, int, list[str]]:
    """State, generation, queue and workers, as `Stage.becomes` is told them."""
    workers = [
        f"{one['state']} {one['generation']}" + ("" if one["enabled"] else " disabled")
        for one in app["workers"]
    ]
    return app["state"], app["generation"], app["queue"], workers
