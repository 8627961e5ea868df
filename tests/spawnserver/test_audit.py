"""The fork-safety audit: what it finds, what it leaves alone."""

from __future__ import annotations

import fcntl
import importlib.util
import inspect
import os
import random
import select
import socket
import sqlite3
import subprocess
import threading
from pathlib import Path

import pytest

from passtwist.model import APP, FRAMEWORK, UNSAFE, UNSAFE_FORK, WARNING
from passtwist.spawnserver import audit
from passtwist.spawnserver.audit_sources import Sources
from passtwist.wire.journey import FindingRecord
from tests.spawnserver.conftest import HELLO
from tests.spawnserver.driver import Driver, make_app, subreaper


@pytest.fixture
def listener():
    """Something to connect to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


class Watch:
    """What is found among what was made since."""

    def __init__(self, root):
        self.before = audit.Sight()
        self.sources = Sources(str(root))
        self.sources.start()

    def found(self, *allowed):
        """Token, text and level of each finding that is not *allowed*."""
        return [
            (one.token, one.text, one.level)
            for one in audit.findings(self.before, self.sources)
            if not audit.is_allowed(one, allowed)
            and not one.token.startswith(("library:", "random:"))
        ]

    def places(self):
        """Token to place."""
        found = audit.findings(self.before, self.sources)
        return {one.token: one.place for one in found}


@pytest.fixture
def watch():
    """Begins to watch; this file plays the app."""
    watches = []

    def watch():
        watches.append(Watch(Path(__file__).parent))
        return watches[-1]

    yield watch
    for each in watches:
        each.sources.stop()


def here(back=1):
    """The place of the line before the caller's."""
    frame = inspect.currentframe().f_back
    return f"{__file__}:{frame.f_lineno - back}"


def test_nothing_new_is_nothing_found(watch):
    """Whatever else this process has."""
    assert watch().found() == []


def test_a_thread_is_found_by_its_name_and_can_be_allowed(watch):
    """Whatever it does."""
    watching, leave = watch(), threading.Event()
    thread = threading.Thread(target=leave.wait, name="pusher-7")
    thread.start()
    place = here()
    try:
        text = "thread 'pusher-7' runs; workers would not have it"
        assert watching.found() == [("thread:pusher-7", text, UNSAFE)]
        assert watching.places()["thread:pusher-7"] == place
        assert watching.found("thread:pusher-7") == []
        assert watching.found("thread:pusher-*") == []
        assert len(watching.found("socket:pusher-7", "pusher-7")) == 1
    finally:
        leave.set()
        thread.join()


def test_a_thread_that_ends_before_each_fork_is_not_found(watch):
    """Its library knows of forks: OpenBLAS does so, below numpy."""
    watching, leave = watch(), threading.Event()
    thread = threading.Thread(target=leave.wait)
    thread.start()

    def end():
        leave.set()
        thread.join()

    os.register_at_fork(before=end)
    assert watching.found() == []


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
def test_a_connection_is_found_by_its_peer(watch, tmp_path, family):
    """Its bytes would be mixed by several workers."""
    address = {
        socket.AF_INET: ("127.0.0.1", 0),
        socket.AF_INET6: ("::1", 0),
        socket.AF_UNIX: str(tmp_path / "db"),
    }[family]
    with socket.socket(family) as server:
        try:
            server.bind(address)
        except OSError as error:
            pytest.skip(f"needs this address family: {error}")
        server.listen()
        watching = watch()
        name = {
            socket.AF_INET: lambda peer: f"127.0.0.1:{peer[1]}",
            socket.AF_INET6: lambda peer: f"[::1]:{peer[1]}",
            socket.AF_UNIX: str,
        }[family](server.getsockname())
        with socket.socket(family) as late:
            place = here()
            late.connect(server.getsockname())
            text = f"a connection to {name} is open; workers would mix on it"
            assert watching.found() == [(f"socket:{name}", text, UNSAFE)]
            assert watching.places()[f"socket:{name}"] == place
            assert watching.found(f"socket:{name}") == []


def test_listening_unconnected_and_datagram_sockets_are_harmless(watch, listener):
    """Nothing can be mixed on them."""
    watching = watch()
    with (
        socket.socket(),
        socket.create_server(("127.0.0.1", 0)),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        datagrams.connect(("127.0.0.1", 9))
        assert watching.found() == []


def test_an_event_loop_is_found(watch):
    """All workers would wait on one; a global says where it is."""
    watching = watch()
    global LOOP
    LOOP = select.epoll()
    place = here()
    try:
        text = "an event loop is open (epoll); workers would share it"
        assert watching.found() == [("loop:epoll", text, UNSAFE)]
        assert watching.places()["loop:epoll"] == place
        assert watching.found("loop:epoll") == []
    finally:
        LOOP.close()


def test_an_open_sqlite_database_is_found_whatever_its_name(watch, tmp_path):
    """By its first bytes, or by its companions; named by a link or an URI, too."""
    path = str(tmp_path / "data")
    connection = sqlite3.connect(path)
    connection.execute("create table t (x)")
    connection.close()
    os.symlink("data", tmp_path / "link")
    watching = watch()
    connection = sqlite3.connect(f"file:{tmp_path}/link?mode=ro", uri=True)
    place = here()
    connection.execute("select * from t")
    try:
        text = f"SQLite database {path} is open; used after a fork it can be corrupted"
        assert watching.found() == [(f"sqlite:{path}", text, UNSAFE)]
        assert watching.places()[f"sqlite:{path}"] == place
        assert watching.found(f"sqlite:{path}") == []
    finally:
        connection.close()


def test_a_file_that_is_read_and_written_is_told_of(watch, tmp_path):
    """Workers would share the place in it; one that is locked is unsafe."""
    watching, path = watch(), tmp_path / "data"
    with path.open("w+b") as file:
        place = here()
        shared = "is open for reading and writing; workers would share the place"
        assert watching.found() == [(f"file:{path}", f"file {path} {shared}", WARNING)]
        assert watching.places()[f"file:{path}"] == place
        fcntl.flock(file, fcntl.LOCK_EX)
        locked = "is open and locked; workers would believe to have the lock"
        assert watching.found() == [(f"lock:{path}", f"file {path} {locked}", UNSAFE)]


def test_ordinary_files_and_pipes_are_harmless(watch, tmp_path):
    """Log files, for one, and memory that is there to be shared."""
    watching = watch()
    ends = [*os.pipe(), os.memfd_create("shared")]
    with (
        open(tmp_path / "a.log", "w", encoding="utf-8"),
        open(tmp_path / "b.log", "a+", encoding="utf-8"),
    ):
        assert watching.found() == []
    for end in ends:
        os.close(end)


def test_descriptors_that_wake_somebody_up_are_told_of(watch):
    """The C library makes them; Python 3.10 and newer has one of them."""
    watching = watch()
    number = os.eventfd(0)
    text = "a descriptor of kind eventfd is open; each wake-up would reach one of the "
    assert watching.found() == [("descriptor:eventfd", text + "workers", WARNING)]
    os.close(number)


@pytest.mark.parametrize(
    ("pipe", "level", "what"),
    [
        (subprocess.PIPE, UNSAFE, "workers would mix on its pipes"),
        (None, WARNING, "it is no child of the workers"),
    ],
    ids=["pipe", "alone"],
)
def test_a_child_is_found(watch, pipe, level, what):
    """One that is spoken to through a pipe must not be shared."""
    watching = watch()
    with subprocess.Popen(["/bin/sleep", "60"], stdin=pipe) as child:
        place = here()
        try:
            text = f"process 'sleep' was started by the app and lives; {what}"
            assert watching.found() == [("process:sleep", text, level)]
            assert watching.places()["process:sleep"] == place
        finally:
            child.kill()


def test_a_generator_of_random_numbers_is_told_of(watch):
    """All workers would draw the same; a seed may mean just that."""
    watching = watch()
    global GENERATOR
    GENERATOR = random.Random(1)
    place, token = here(), f"random:{__name__}.GENERATOR"
    assert watching.places()[token] == place
    GENERATOR = random.SystemRandom()
    assert token not in watching.places()


class Lazy:
    """As those of Django: it makes what it stands for when it is asked."""

    @property
    def __class__(self):
        raise AssertionError("asked for its class")

    def __getattr__(self, name):
        raise AssertionError(f"asked for {name}")


def test_lazy_objects_of_the_app_stay_lazy(watch):
    """Though all globals are looked at for who holds a descriptor."""
    watching = watch()
    global LAZY
    LAZY = Lazy()
    with select.epoll() as loop:
        assert watching.places()["loop:epoll"] == ""
        assert loop.fileno() > 2
    del LAZY


def test_a_place_in_a_library_comes_with_that_in_the_app(watch, tmp_path):
    """Both may have to be known; the way leads through the standard library."""
    library = tmp_path / "site-packages" / "client" / "pushing.py"
    library.parent.mkdir(parents=True)
    library.write_text(
        "import threading\ndef push(leave):\n"
        "    threading.Thread(target=leave.wait, name='push').start()\n"
    )
    found = importlib.util.spec_from_file_location("client.pushing", library)
    client = importlib.util.module_from_spec(found)
    found.loader.exec_module(client)
    watching, leave = watch(), threading.Event()
    client.push(leave)
    place = f"{here()}, through client/pushing.py:3"
    try:
        assert watching.places()["thread:push"] == place
    finally:
        leave.set()


def test_the_watch_is_in_nobodys_way(watch, capfd):
    """What it can't read it leaves alone, and the app gets its own error."""
    watching = watch()
    with pytest.raises(TypeError):
        sqlite3.connect(7)
    assert "TypeError" in capfd.readouterr().err
    watching.sources.stop()
    with pytest.raises(TypeError):
        sqlite3.connect(7)
    assert capfd.readouterr().err == ""


SENTRY = (
    """
import threading
thread = threading.Thread(target=threading.Event().wait, name="sentry", daemon=True)
thread.start()
"""
    + HELLO
)


@pytest.mark.parametrize("route", [("app",), ("framework", "app")], ids=str)
def test_an_unsafe_app_is_not_forked(driver, tmp_path, route):
    """Its spawn fails with the findings and with what can be done."""
    spawn = driver.spawn(make_app(tmp_path / "site", SENTRY), route)
    spawn.wait()
    failure = spawn.failure
    assert (failure.who, failure.step, failure.category) == (APP, "audit", UNSAFE_FORK)
    (finding,) = spawn.only(FindingRecord)
    text = "thread 'sentry' runs; workers would not have it"
    place = f"{tmp_path}/site/site_app.py:4"
    assert finding == FindingRecord(
        APP, failure.pid, "thread:sentry", text, UNSAFE, place, finding.hint
    )
    assert "after_fork" in finding.hint
    allow = 'allowed by fork_allow = ["thread:sentry"]'
    assert failure.findings == (f"{text} (made at {place}; {allow})",)
    assert failure.detail == failure.findings[0]
    assert 'spawn_method = "conservative"' in failure.advice


def test_an_unsafe_app_is_no_problem_for_a_fresh_worker(driver, tmp_path):
    """Nothing is forked there."""
    driver.spawn(make_app(tmp_path / "site", SENTRY)).ready()


def test_what_is_allowed_is_forked(driver, tmp_path, python):
    """On the operator's word; Python's own warning must not end the spawner."""
    source = "import warnings\nwarnings.simplefilter('error')\n" + SENTRY
    allowed = ("thread:sentry",)
    app = make_app(tmp_path / "site", source, fork_allow=allowed, python=python)
    for _ in range(2):
        spawn = driver.spawn(app, ("app",))
        worker = spawn.ready()
        assert spawn.connect().get() == f"hello from {worker}"


CLOSED = (
    """
import threading
from passtwist.lifecycle import on
leave = threading.Event()
thread = threading.Thread(target=leave.wait, name="sentry")
thread.start()

@on("before_fork")
def stop():
    leave.set()
    thread.join()
"""
    + HELLO
)


def test_what_before_fork_closes_is_not_found(driver, tmp_path):
    """The way out for an app that knows what it opens."""
    driver.spawn(make_app(tmp_path / "site", CLOSED), ("app",)).ready()


THREADED_FRAMEWORK = """
import threading

def preload(app):
    thread = threading.Thread(target=threading.Event().wait, name="watcher")
    thread.daemon = True
    thread.start()

def load(app):
    return app.load_entry()
"""


def test_what_a_framework_makes_is_found_before_an_app_is_loaded(tmp_path):
    """An app spawner forked after that would not see it; no app can allow it."""
    (tmp_path / "threaded.py").write_text(THREADED_FRAMEWORK)
    halves = {"threaded.py": str(tmp_path / "threaded.py")}
    app = make_app(
        tmp_path / "site", HELLO, child="threaded.py", fork_allow=("thread:*",)
    )
    with subreaper():
        driver = Driver(tmp_path, halves)
        failure = driver.spawn(app, ("framework", "app")).wait().failure
        driver.close()
    assert (failure.who, failure.step, failure.category) == (
        FRAMEWORK,
        "audit",
        UNSAFE_FORK,
    )
    text = "thread 'watcher' runs; workers would not have it"
    place = f"{tmp_path}/code/frameworks/threaded.py:7"
    assert failure.findings == (
        f'{text} (made at {place}; allowed by fork_allow = ["thread:watcher"])',
    )
    assert "for the framework's plugin to mend" in failure.advice
