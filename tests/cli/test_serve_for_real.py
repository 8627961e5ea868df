"""`passtwist serve` and the commands that talk to what it has started."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from passtwist.testing.waiting import PATIENCE, wait_until

PASSTWIST = [sys.executable, "-c", "from passtwist.cli.main import main; main()"]
HELLO = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["SCRIPT_NAME"].encode() + b"|" + environ["PATH_INFO"].encode()]
"""


@pytest.fixture
def folder():
    """A folder with a short name, as a Unix socket's name is short."""
    folder = Path(tempfile.mkdtemp(prefix="ptw-"))
    (folder / "hello").mkdir()
    (folder / "hello" / "wsgi.py").write_text(HELLO)
    yield folder
    shutil.rmtree(folder)


def test_serve_in_the_foreground(folder):
    """It answers, shows its status, logs to standard error; ^C ends it with 0."""
    runtime = f"--runtime-dir={folder}/run"
    listen = "--listen=tcp:0:interface=127.0.0.1"
    command = [*PASSTWIST, "serve", listen, runtime, "hello", "--spawn-method=direct"]
    if os.geteuid() == 0:
        # The folder is root's, and closed for others.
        command.append("--default-user=root")
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        server = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )

    def port() -> int | None:
        log = (folder / "err").read_text()
        assert server.poll() is None, log
        found = re.search(r"passtwist serves .* on http://127\.0\.0\.1:(\d+)/", log)
        return int(found[1]) if found else None

    try:
        client = http.client.HTTPConnection(
            "127.0.0.1", wait_until(port, "the server to listen"), timeout=PATIENCE
        )
        client.request("GET", "/a/b")
        assert client.getresponse().read() == b"|/a/b"
        client.close()
        status = subprocess.run(
            [*PASSTWIST, "status", "--json", runtime],
            capture_output=True,
            check=True,
            timeout=PATIENCE,
        )
        answer = json.loads(status.stdout)
        assert answer["pid"] == server.pid
        assert [
            (app["name"], app["framework"], app["spawn_method"], len(app["workers"]))
            for app in answer["apps"]
        ] == [("hello", "wsgi", "conservative", 1)]
    finally:
        server.send_signal(signal.SIGINT)
        code = server.wait(PATIENCE)
    assert code == 0, (folder / "err").read_text()
    assert '"GET /a/b HTTP/1.1" 200' in (folder / "out").read_text()
    assert "twistd" not in (folder / "out").read_text()
    gone = subprocess.run(
        [*PASSTWIST, "status", runtime],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (gone.returncode, gone.stdout) == (1, "")
    assert gone.stderr.startswith("Error: no server is running with the runtime dir")
