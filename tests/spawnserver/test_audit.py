"""The fork-safety audit: what it finds, what it leaves alone."""

from __future__ import annotations

import os
import select
import socket
import sqlite3
import threading

import pytest

from passtwist.model import APP, UNSAFE_FORK
from passtwist.spawnserver import audit
from tests.spawnserver.conftest import HELLO
from tests.spawnserver.driver import make_app


@pytest.fixture
def listener():
    """Something to connect to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def found_since(before, *allowed):
    return audit.findings(before, audit.look(), allowed)


def test_nothing_new_is_nothing_found():
    """Whatever else this process has."""
    assert found_since(audit.look()) == []


def test_a_thread_is_found_by_its_name_and_can_be_allowed():
    """Whatever it does."""
    before, leave = audit.look(), threading.Event()
    thread = threading.Thread(target=leave.wait, name="pusher-7")
    thread.start()
    try:
        (sentence,) = found_since(before)
        assert sentence == (
            "thread 'pusher-7' runs; workers would not have it "
            '(allowed by fork_allow = ["thread:pusher-7"])'
        )
        assert found_since(before, "thread:pusher-7") == []
        assert found_since(before, "thread:pusher-*") == []
        assert len(found_since(before, "socket:pusher-7", "pusher-7")) == 1
    finally:
        leave.set()
        thread.join()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
def test_a_connection_is_found_by_its_peer(tmp_path, family):
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
        before = audit.look()
        name = {
            socket.AF_INET: lambda peer: f"127.0.0.1:{peer[1]}",
            socket.AF_INET6: lambda peer: f"[::1]:{peer[1]}",
            socket.AF_UNIX: str,
        }[family](server.getsockname())
        with socket.socket(family) as late:
            late.connect(server.getsockname())
            (sentence,) = found_since(before)
            assert sentence.startswith(f"a connection to {name} is open")
            assert found_since(before, f"socket:{name}") == []


def test_listening_unconnected_and_datagram_sockets_are_harmless(listener):
    """Nothing can be mixed on them."""
    before = audit.look()
    with (
        socket.socket(),
        socket.create_server(("127.0.0.1", 0)),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        datagrams.connect(("127.0.0.1", 9))
        assert found_since(before) == []


def test_an_event_loop_is_found(listener):
    """All workers would wait on one."""
    before = audit.look()
    loop = select.epoll()
    try:
        (sentence,) = found_since(before)
        assert sentence.startswith("an event loop is open (epoll)")
        assert found_since(before, "epoll") == []
    finally:
        loop.close()


def test_an_open_sqlite_database_is_found_whatever_its_name(tmp_path):
    """By its first bytes, or by its companions."""
    path = str(tmp_path / "data")
    connection = sqlite3.connect(path)
    connection.execute("create table t (x)")
    connection.close()
    before = audit.look()
    connection = sqlite3.connect(path)
    connection.execute("select * from t")
    try:
        (sentence,) = found_since(before)
        assert sentence.startswith(f"SQLite database {path} is open")
        assert found_since(before, f"sqlite:{path}") == []
    finally:
        connection.close()


def test_ordinary_files_and_pipes_are_harmless(tmp_path):
    """Log files, for one."""
    before = audit.look()
    ends = os.pipe()
    with open(tmp_path / "a.log", "w", encoding="utf-8"):
        assert found_since(before) == []
    for end in ends:
        os.close(end)


UNSAFE = (
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
    spawn = driver.spawn(make_app(tmp_path / "site", UNSAFE), route)
    spawn.wait()
    failure = spawn.failure
    assert (failure.who, failure.step, failure.category) == (APP, "audit", UNSAFE_FORK)
    (sentence,) = failure.findings
    assert (
        sentence
        == failure.detail
        == (
            "thread 'sentry' runs; workers would not have it "
            '(allowed by fork_allow = ["thread:sentry"])'
        )
    )
    assert 'spawn_method = "conservative"' in failure.advice


def test_an_unsafe_app_is_no_problem_for_a_fresh_worker(driver, tmp_path):
    """Nothing is forked there."""
    driver.spawn(make_app(tmp_path / "site", UNSAFE)).ready()


def test_what_is_allowed_is_forked(driver, tmp_path, python):
    """On the operator's word; Python's own warning must not end the spawner."""
    source = "import warnings\nwarnings.simplefilter('error')\n" + UNSAFE
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
