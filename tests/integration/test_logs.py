"""Logs of real servers: rotated, flooded, read by nobody."""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import signal
import socket
import subprocess

import pytest

from passtwist.testing.server import RunningServer
from passtwist.testing.waiting import wait_until
from tests.docs.pages import ROOT
from tests.integration.sites import Site, configure

TALKATIVE = """
import os
import sys
import threading


def flood():
    while True:
        os.write(2, b"y" * 99 + b"\\n")


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/say":
        for number in range(2000):
            sys.stderr.write("%d %s\\n" % (number, "x" * 200))
    elif path == "/flood":
        threading.Thread(target=flood, daemon=True).start()
    elif path == "/broken":
        raise ValueError("broken")
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path, "talk")
    site.write("passenger_wsgi.py", TALKATIVE)
    return site


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the logs of `rotated` are."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def rotated(folder):
    """A server with both logs in files, and the access log's lines as JSON."""
    sites = [
        Site(folder, name, base_uri=f"/{name}", **keys)
        for name, keys in (
            ("talk", {}),
            ("forked", {"log_file": str(folder / "forked.log")}),
            (
                "fresh",
                {
                    "log_file": str(folder / "fresh.log"),
                    "spawn_method": "conservative",
                },
            ),
        )
    ]
    for site in sites:
        site.write("passenger_wsgi.py", TALKATIVE)
    log, access = folder / "server.log", folder / "access.log"
    keys = {"access_log": str(access), "access_log_format": "json"}
    file = configure(folder, *sites, **keys)
    server = RunningServer(f"--config={file}", before=[f"--logfile={log}"])
    server.log_file = log
    with server:
        yield server


def entries(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_logs_are_opened_anew_by_usr1(rotated, folder):
    """As logrotate has it done: moved away, made anew, signal.  Each request is in
    one of the files, with its id in all that concerns it.
    """
    log, access = folder / "server.log", folder / "access.log"
    first = rotated.get("/talk/one")
    for path in (log, access):
        path.rename(f"{path}.1")
    access.touch(0o640)
    old = (folder / "server.log.1").read_text()
    rotated.process.send_signal(signal.SIGUSR1)
    rotated.wait_for_log("the logs are reopened")
    second = rotated.get("/talk/broken")
    wait_until(lambda: entries(access), "the second request in the new file")
    (before,), (after,) = entries(folder / "access.log.1"), entries(access)
    assert (before["target"], after["target"]) == ("/talk/one", "/talk/broken")
    ids = [answer.headers["X-Request-Id"] for answer in (first, second)]
    assert [before["request_id"], after["request_id"]] == ids
    rotated.wait_for_log(f"GET '/broken' failed (request {ids[1]}): Traceback")
    assert (folder / "server.log.1").read_text() == old
    assert rotated.status()["logs"] == {
        "access_log_dropped": 0,
        "server_log_dropped": 0,
        "output_dropped": {},
    }
    check_facts(before, rotated)


@pytest.mark.parametrize("name", ["forked", "fresh"])
def test_workers_open_their_log_file_anew(rotated, folder, name):
    """However they came to be."""
    log = folder / f"{name}.log"
    assert rotated.get(f"/{name}/broken").status == 500
    assert "ValueError: broken" in log.read_text()
    log.rename(f"{log}.1")
    rotated.process.send_signal(signal.SIGUSR1)
    wait_until(log.exists, "the worker to open its log")
    assert rotated.get(f"/{name}/broken").status == 500
    assert "ValueError: broken" in log.read_text()


ROTATION = re.compile(r"```\n(/var/log/passtwist/access\.log .*?)```", re.DOTALL)


@pytest.mark.debian("logrotate")
def test_logrotate_rotates_them_as_documented(rotated, folder):
    """With the lines of the how-to; nothing is lost, and the new files are used."""
    text = ROTATION.search((ROOT / "docs/how-to/logs.md").read_text())[1]
    account = (
        f"{pwd.getpwuid(os.geteuid()).pw_name} {grp.getgrgid(os.getegid()).gr_name}"
    )
    for shown, real in (
        ("/var/log/passtwist", str(folder)),
        ("www-data adm", account),
        ('"$(cat /run/passtwist.pid)"', str(rotated.process.pid)),
    ):
        assert shown in text
        text = text.replace(shown, real)
    (folder / "rotation").write_text(text)
    first = rotated.get("/talk/one").headers["X-Request-Id"]
    state = f"--state={folder}/state"
    command = ["logrotate", "--force", state, str(folder / "rotation")]
    subprocess.run(command, check=True, capture_output=True, timeout=20)
    rotated.wait_for_log("the logs are reopened")
    second = rotated.get("/talk/two").headers["X-Request-Id"]
    access = folder / "access.log"
    wait_until(lambda: entries(access), "the second request in the new file")
    files = (folder / "access.log.1", access)
    ids = [[one["request_id"] for one in entries(file)] for file in files]
    assert (ids[0][-1], ids[1]) == (first, [second])
    assert "reopened" in (folder / "server.log.1").read_text()


def check_facts(entry, server):
    """What the access log knows of a request that waited for its first worker."""
    (worker,) = server.workers("talk")
    assert (entry["worker"], entry["attempts"]) == (worker["pid"], 1)
    assert (entry["app"], entry["spawn_method"]) == ("talk", worker["spawn_method"])
    assert 0 < entry["app_s"] < entry["total_s"]
    assert 0 < entry["queue_s"] < entry["total_s"]
    assert (entry["status"], entry["sent"], entry["complete"]) == (200, 2, True)


def test_a_flood_of_output_stops_nobody(rotated):
    """Other requests are answered; how much was thrown away is told and counted."""
    assert rotated.get("/talk/flood").status == 200
    found = rotated.wait_for_log("were not logged; with its own log_file")
    for _ in range(20):
        assert rotated.get("/forked/").text == "ok"
    told = re.search(r"app talk prints more than 500 lines a second: (\d+) were", found)
    dropped = rotated.status()["logs"]["output_dropped"]["talk"]
    assert dropped >= int(told[1]) > 0


class Unread(RunningServer):
    """A server whose standard output is a pipe that nobody reads."""

    def launch(self):
        self.reader, writer = os.pipe()
        self.process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=writer,
            env=self._env,
            cwd=self._cwd,
        )
        os.close(writer)

    def start(self):
        self.launch()
        admin = self.runtime_dir / "admin.sock"
        wait_until(admin.exists, "the admin socket")
        return self

    def ask(self, path, target):
        """One request over the Unix socket *path*."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(path)
            client.sendall(b"GET %b HTTP/1.0\r\n\r\n" % target)
            data = b""
            while piece := client.recv(65536):
                data += piece
        return data


def test_a_log_that_nobody_reads_stops_nobody(site, tmp_path):
    """Neither requests nor the end; what is read later is whole lines."""
    file = configure(tmp_path, site)
    server = Unread(f"--config={file}", f"--listen=unix:{tmp_path}/s")
    path = f"{tmp_path}/s"
    with server:
        wait_until(lambda: os.path.exists(path), "the server to listen")
        for _ in range(3):
            assert server.ask(path, b"/say").endswith(b"\r\n\r\nok")
        for number in range(60):
            target = b"/%d?%b" % (number, b"z" * 4000)
            assert server.ask(path, target).endswith(b"\r\n\r\nok")
        assert server.status()["pool"]["queue"] == 0
        assert server.stop() == 0
        lines = os.read(server.reader, 1 << 20).splitlines()
        os.close(server.reader)
    assert b"twistd" in lines[0]
    said = [line for line in lines if b" output: " in line]
    assert all(re.search(rb"output: \d+ x{200}$", line) for line in said[:-1])
