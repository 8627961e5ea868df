"""Each server that is installed starts, answers, and is stopped without a trace."""

from __future__ import annotations

import http.client
import sys

import pytest

from benchmarks import processes
from benchmarks.attempts import explained
from benchmarks.measures import scratch
from benchmarks.servers import Failed, Running, Server, every_server
from benchmarks.servers import running as of_running
from benchmarks.servers.passenger import Passenger
from benchmarks.servers.passtwist import Passtwist
from benchmarks.sites import make_site

MEBIBYTE = b"0123456789abcdef" * 65536

OURS = f"{sys.version} {sys.prefix} {sys.base_prefix}\n"

# No process has this pid: what is found has the mark.
NO_ROOT = -1


class Sites(dict):
    """Sites by name, made when they are asked for."""

    def __init__(self, folder):
        self.folder = folder

    def __missing__(self, name):
        self[name] = make_site(name, self.folder)
        return self[name]


@pytest.fixture(scope="module")
def sites():
    with scratch() as folder:
        yield Sites(folder)


def installed(server):
    """The server; the test is skipped with the remedy if there is none."""
    missing = server.missing()
    if missing:
        pytest.skip(explained(missing))
    return server


def upload(running, body):
    """What the site answers to a body."""
    host = running.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request("POST", "/upload", body, {"Connection": "close"})
        return connection.getresponse().read()
    finally:
        connection.close()


def what_is_left(running):
    """Of one that was closed: its processes and its folder."""
    folder = running.setup.folder
    return processes.marked(running.mark, NO_ROOT), folder.exists()


@pytest.mark.parametrize("server", every_server(), ids=lambda server: server.name)
def test_a_server_answers_with_all_its_workers_and_leaves_nothing(server, sites):
    """The same everywhere: these bytes, so many processes, our own interpreter."""
    with Running(installed(server), sites["wsgi"], 2) as running:
        bodies = [running.get("/"), running.get("/mebibyte"), upload(running, MEBIBYTE)]
        assert bodies == [b"hello world\n", MEBIBYTE, b"1048576\n"]
        assert running.get("/interpreter").decode() == OURS
        workers = running.workers()
        assert len(workers) == (1 if server.one_process else 2)
        assert workers <= set(running.pids())
    assert what_is_left(running) == ([], False)


@pytest.mark.parametrize("server", [Passtwist(), Passenger()], ids=lambda one: one.name)
@pytest.mark.parametrize("name", ["flask", "django"])
def test_the_sites_of_frameworks_answer(server, name, sites):
    """Ours has a way of its own to load them, peers load the file for Passenger."""
    with Running(installed(server), sites[name], 1) as running:
        if name == "flask":
            assert running.get("/") == b"hello world\n"
        else:
            assert running.get("/hello") == b"hello world\n"
            assert running.get("/rows").count(b"The quick brown fox") == 20 * 4
    assert what_is_left(running) == ([], False)


class Script(Server):
    """A server that is a few lines of Python."""

    name = family = "script"

    def __init__(self, text):
        self.text = text

    def missing(self):
        return ""

    def version(self):
        return "1"

    def command(self, setup):
        return [sys.executable, "-c", self.text]


STRAY = """
import subprocess, sys
sleep = "import time; print('asleep', flush=True); time.sleep(600)"
stray = subprocess.Popen(
    [sys.executable, "-c", sleep], stdout=subprocess.PIPE, start_new_session=True
)
stray.stdout.readline()
"""


def test_a_server_that_ends_at_once_is_told_with_its_log_and_leaves_no_stray(sites):
    """Also what left the process tree, as Passenger's agents do."""
    running = Running(Script(STRAY + "sys.exit('no licence')"), sites["wsgi"], 2)
    with pytest.raises(Failed) as failure, running:
        pass
    assert str(failure.value) == (
        "script was waited for to answer: it ended\nno licence\n"
    )
    assert what_is_left(running) == ([], False)


def test_a_server_that_does_not_answer_is_told_with_its_log(sites, monkeypatch):
    """And is killed, if it does not listen to the order to stop."""
    monkeypatch.setattr(of_running, "PATIENCE", 0.5)
    monkeypatch.setattr(of_running, "GRACE", 0.5)
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    text = f"import signal, time; {deaf}; print('deaf', flush=True); time.sleep(600)"
    running = Running(Script(text), sites["wsgi"], 2)
    with pytest.raises(Failed) as failure, running:
        pass
    assert str(failure.value).startswith("script was waited for to answer: not within")
    assert what_is_left(running) == ([], False)
