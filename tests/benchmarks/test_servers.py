"""Each server that is installed starts, answers, and is stopped without a trace."""

from __future__ import annotations

import http.client
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from benchmarks import processes
from benchmarks.attempts import explained
from benchmarks.measures import scratch
from benchmarks.servers import Failed, Running, Server, every_server
from benchmarks.servers import running as of_running
from benchmarks.servers.passenger import Passenger
from benchmarks.servers.passtwist import Passtwist
from benchmarks.sites import make_site

# Servers that are started side by side.
AT_A_TIME = 4

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


@dataclass(frozen=True)
class Trial:
    """What became of a server that was started, asked and stopped."""

    bodies: list[bytes]
    interpreter: str
    workers: set[int]
    pids: set[int]
    left: tuple[list[int], bool]


def plain(running):
    """What the plain site answers, and by whom."""
    bodies = [running.get("/"), running.get("/mebibyte"), upload(running, MEBIBYTE)]
    workers = running.workers()
    interpreter = running.get("/interpreter").decode()
    return bodies, interpreter, workers, set(running.pids())


def of_framework(running):
    """What the site of a framework answers."""
    if running.setup.site.name == "flask":
        return [running.get("/")], "", set(), set()
    return [running.get("/hello"), running.get("/rows")], "", set(), set()


def tried(server, site, worker_count, ask):
    """The whole of its life; None for one that is not installed."""
    if server.missing():
        return None
    running = Running(server, site, worker_count)
    with running:
        found = ask(running)
    return Trial(*found, left=what_is_left(running))


# What each test of a server is about: the server, the site, how many workers.
PLAIN = {(server.name, "wsgi"): (server, 2, plain) for server in every_server()}
SITES = {
    (server.name, name): (server, 1, of_framework)
    for server in (Passtwist(), Passenger())
    for name in ("flask", "django")
}


@pytest.fixture(scope="module")
def trials(request, sites):
    """Those of the tests that were selected, by name of server and site.

    A few at a time: each waits more than it computes.  They are over before the
    first test begins, so that none of them looks like something that it left.
    """
    selected = {
        item.callspec.params["trial"]
        for item in request.session.items
        if "trial" in getattr(item, "fixturenames", ())
    }
    with ThreadPoolExecutor(AT_A_TIME) as crowd:
        return {
            key: crowd.submit(tried, server, sites[key[1]], count, ask)
            for key, (server, count, ask) in (PLAIN | SITES).items()
            if key in selected
        }


def trial_of(trials, key):
    """Its outcome; the test is skipped with the remedy if there is no such server."""
    found = trials[key].result()
    if found is None:
        server, _, _ = (PLAIN | SITES)[key]
        pytest.skip(explained(server.missing()))
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("trial", PLAIN, ids=" on ".join)
def test_a_server_answers_with_all_its_workers_and_leaves_nothing(trials, trial):
    """The same everywhere: these bytes, so many processes, our own interpreter."""
    server, count, _ = PLAIN[trial]
    found = trial_of(trials, trial)
    assert found.bodies == [b"hello world\n", MEBIBYTE, b"1048576\n"]
    assert found.interpreter == OURS
    assert len(found.workers) == (1 if server.one_process else count)
    assert found.workers <= found.pids
    assert found.left == ([], False)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("trial", SITES, ids=" on ".join)
def test_the_sites_of_frameworks_answer(trials, trial):
    """Ours has a way of its own to load them, peers load the file for Passenger."""
    found = trial_of(trials, trial)
    hello, *pages = found.bodies
    assert hello == b"hello world\n"
    assert [page.count(b"The quick brown fox") for page in pages] == (
        [20 * 4] if trial[1] == "django" else []
    )
    assert found.left == ([], False)


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
