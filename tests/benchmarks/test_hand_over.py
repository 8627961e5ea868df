"""A server whose main process is replaced by another one while it runs."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from benchmarks.processes import alive
from benchmarks.servers import Running, Server, Setup
from benchmarks.servers.running import Failed
from benchmarks.sites import make_site

SERVE = """\
import os, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Pid(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"%d" % os.getpid()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

def replace(number, frame):
    if os.fork():
        server.socket.close()
        while True:
            signal.pause()

server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Pid)
signal.signal(signal.SIGUSR2, replace)
server.serve_forever()
"""


class Replaced(Server):
    """On SIGUSR2 a child goes on; the process that was started waits for SIGTERM."""

    name = "replaced"
    family = "replaced"

    def missing(self) -> str:
        return ""

    def version(self) -> str:
        return "1.0"

    def files(self, setup: Setup) -> dict[str, str]:
        return {"serve.py": SERVE}

    def command(self, setup: Setup) -> list[str]:
        return [sys.executable, str(setup.folder / "serve.py"), str(setup.port)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return make_site("wsgi", tmp_path_factory.mktemp("sites"))


def replace(running: Running) -> int:
    """The pid of the process that is the server now; the one before has ended."""
    old = running.pid
    os.kill(old, signal.SIGUSR2)
    new = old

    def is_replaced() -> bool:
        nonlocal new
        new = int(running.get("/pid"))
        return new != old

    running.wait_until(is_replaced, "to be replaced")
    running.hand_over(new)
    os.kill(old, signal.SIGTERM)
    running.wait_until(lambda: not alive(old), "to end the old process")
    return new


def test_it_is_the_successor_that_is_signalled_and_stopped(site):
    with Running(Replaced(), site, 1) as running:
        new = replace(running)
        assert (running.pid, int(running.get("/pid"))) == (new, new)
        assert new in running.pids()
    assert not alive(new)


def test_the_end_of_the_successor_is_the_end_of_the_server(site):
    with Running(Replaced(), site, 1) as running:
        new = replace(running)
        os.kill(new, signal.SIGKILL)
        with pytest.raises(Failed, match="was waited for a miracle: it ended"):
            running.wait_until(lambda: False, "a miracle")
        folder = Path(running.setup.folder)
    assert not folder.exists()
