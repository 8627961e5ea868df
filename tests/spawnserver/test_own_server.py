"""Workers that bring a server of their own: what they say, and how they end."""

from __future__ import annotations

import json
import os
import socket

import pytest

from passtwist.model import APP_ERROR, WORKER, ExitStatus
from passtwist.wire.journey import ReadyRecord
from passtwist.worker.serving import EXIT_BROKEN
from tests.spawnserver.driver import Driver, make_app, subreaper, until

CHILD = """
def load(app):
    return app.load_entry()

def serve(app, application, server):
    application(server)
"""
# Answers each connection with what it is told and ends with the listener.
PLAIN = """
import json, os, socket, sys
from passtwist.lifecycle import on

told = []
on("worker_started")(lambda: told.append("started"))
on("worker_stopping")(lambda: print("worker_stopping", flush=True))

def app(server):
    told.append(["before", server.is_ready, server.is_stopping, server.threads])
    server.ready(**READY)
    told.append(["after", server.is_ready, server.listener.gettimeout()])
    while True:
        try:
            connection, _ = server.listener.accept()
        except OSError:
            break
        connection.sendall(json.dumps(told).encode())
        connection.close()
    print("stopping:", server.is_stopping, flush=True)
"""


@pytest.fixture
def driver(tmp_path):
    """One whose framework is CHILD."""
    half = tmp_path / "half.py"
    half.write_text(CHILD)
    with subreaper():
        driver = Driver(tmp_path, {"own.py": str(half)})
        yield driver
        driver.close()


def own(folder, source, **fields):
    return make_app(folder / "site", source, child="own.py", framework="own", **fields)


def read(spawn):
    """All that the worker sends on a connection."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(spawn.socket_path)
        data = b""
        while piece := connection.recv(65536):
            data += piece
    return json.loads(data)


def ended(pid):
    """Wait for the end of a worker."""
    return ExitStatus.from_wait_status(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("route", [(), ("app",)], ids=str)
def test_a_worker_says_what_its_server_takes(driver, tmp_path, route):
    """Then it serves on the socket that the controller has made, until it is told."""
    source = "READY = dict(concurrency=7, upgrades=['WebSocket'])" + PLAIN
    spawn = driver.spawn(own(tmp_path, source, threads=3), route)
    pid = spawn.ready()
    (ready,) = spawn.only(ReadyRecord)
    assert ready == ReadyRecord(pid, "http", 7, ("websocket",))
    assert f"{WORKER}: start_worker" in spawn.steps()
    assert spawn.steps("failed") == []
    expected = [["before", False, False, 3], "started", ["after", True, None]]
    assert read(spawn) == expected
    os.kill(pid, 15)
    assert ended(pid) == ExitStatus(code=0)
    spawn.drain()
    assert b"stopping: True\nworker_stopping\n" in spawn.output[WORKER]


def test_a_worker_takes_as_many_as_it_has_threads_if_it_does_not_say(driver, tmp_path):
    """And goes over to nothing."""
    spawn = driver.spawn(own(tmp_path, "READY = {}" + PLAIN, threads=3))
    pid = spawn.ready()
    assert spawn.only(ReadyRecord) == [ReadyRecord(pid, "http", 3)]


@pytest.mark.parametrize(
    ("ready", "reason"),
    [
        ("pass", "never called ready()"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_server_that_does_not_come_up_fails_the_spawn(
    driver, tmp_path, ready, reason
):
    """In the words of what went wrong."""
    spawn = driver.spawn(own(tmp_path, f"def app(server):\n    {ready}\n"))
    failure = spawn.wait().failure
    assert (failure.category, failure.step) == (APP_ERROR, "start_worker")
    assert reason in failure.summary


def test_a_server_that_fails_later_ends_its_worker(driver, tmp_path):
    """With its traceback in the log, and a status that tells of it."""
    source = "def app(server):\n    server.ready()\n    1 / 0\n"
    spawn = driver.spawn(own(tmp_path, source))
    pid = spawn.ready()
    assert ended(pid) == ExitStatus(code=EXIT_BROKEN)
    spawn.drain()
    assert b"ZeroDivisionError" in spawn.output[WORKER]


def test_an_event_loop_is_told_to_stop_and_its_listener_is_left_to_it(driver, tmp_path):
    """What raises then keeps nobody else from being told."""
    source = """
import threading
def app(server):
    told = threading.Event()
    server.on_stop(lambda: 1 / 0)
    server.on_stop(told.set)
    server.ready()
    while not told.wait(0.05):
        pass
    server.on_stop(lambda: print("at once", flush=True))
    server.listener.settimeout(0)
    try:
        server.listener.accept()
    except BlockingIOError:
        print("still listening", flush=True)
"""
    spawn = driver.spawn(own(tmp_path, source))
    pid = spawn.ready()
    os.kill(pid, 15)
    assert ended(pid) == ExitStatus(code=0)
    spawn.drain()
    assert spawn.output[WORKER].endswith(b"at once\nstill listening\n")
    assert b"ZeroDivisionError" in spawn.output[WORKER]


def test_a_copy_of_the_worker_is_no_worker(driver, tmp_path):
    """It has no listener, and leaves when it comes back from the server."""
    source = """
import os
def app(server):
    server.ready()
    pid = os.fork()
    if not pid:
        print("copy has listener:", server.listener.fileno() >= 0, flush=True)
        return
    print("copy:", os.waitpid(pid, 0)[1], flush=True)
"""
    spawn = driver.spawn(own(tmp_path, source))
    assert ended(spawn.ready()) == ExitStatus(code=0)
    spawn.drain()
    assert b"copy has listener: False\ncopy: 0\n" in spawn.output[WORKER]


def test_requests_for_the_warm_up_are_not_made(driver, tmp_path):
    """The application may be anything; that is said, and no error."""
    source = "READY = {}" + PLAIN
    spawn = driver.spawn(own(tmp_path, source, warmup=("/",)))
    spawn.ready()
    printed = until(lambda: spawn.drain() or spawn.output[WORKER], "a line")
    assert b"warmup is for WSGI, and framework own serves by itself" in printed
