"""A worker as a process: environment, signals, streams, how it leaves."""

from __future__ import annotations

import json
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from passtwist.model import APP, FRAMEWORK, WORKER, ExitStatus
from passtwist.wire import session as wire
from passtwist.wire.scoreboard import REQUESTS
from tests.spawnserver.conftest import HELLO
from tests.spawnserver.driver import make_app, reap, until

BOTH = ("framework", "app")
ROUTES = [(), ("app",), BOTH]
each_route = pytest.mark.parametrize("route", ROUTES, ids=str)

REPORT = """
import json, os, random, signal, sys

at_load = dict(os.environ)

def app(environ, start_response):
    def names(numbers):
        return sorted(signal.Signals(n).name for n in numbers)
    valid = signal.valid_signals()
    ignored = [n for n in valid if signal.getsignal(n) == signal.SIG_IGN]
    handled = [n for n in valid if callable(signal.getsignal(n))]
    start_response("200 OK", [])
    return [json.dumps({
        "env": dict(os.environ),
        "at_load": at_load,
        "cwd": os.getcwd(),
        "path0": sys.path[0],
        "argv": sys.argv,
        "umask": "%o" % os.umask(0),
        "session": os.getsid(0) == os.getpid() == os.getpgid(0),
        "ignored": names(ignored),
        "handled": names(handled),
        "blocked": names(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "stdin": os.readlink("/proc/self/fd/0"),
        "random": random.random(),
        "code": [name for name in sys.path if name.endswith("/code")],
        "comm": open("/proc/self/comm").read().strip(),
    }).encode()]
"""


def report(spawn):
    """What the worker says of itself."""
    spawn.ready()
    return json.loads(spawn.connect().get())


@each_route
def test_a_worker_is_at_home_in_its_app(driver, tmp_path, route):
    """Folder, environment, path, umask, session, streams, signals."""
    app = make_app(
        tmp_path / "site",
        REPORT,
        umask=0o027,
        env=(("COLOUR", "green"), ("PYTHONPATH", "/nowhere/special")),
    )
    seen = report(driver.spawn(app, route))
    assert seen["cwd"] == seen["path0"] == str(tmp_path / "site")
    assert (seen["umask"], seen["session"], seen["blocked"]) == ("27", True, [])
    assert (seen["stdin"], seen["comm"], seen["code"]) == ("/dev/null", "pt site", [])
    assert seen["argv"] == ["passtwist"]
    assert seen["handled"] == ["SIGHUP", "SIGINT", "SIGTERM"]
    # By Python itself, in every process.
    assert seen["ignored"] == ["SIGPIPE", "SIGXFSZ"]
    for when in ("env", "at_load"):
        assert seen[when]["COLOUR"] == "green"
        assert seen[when]["IN_PASSTWIST"] == seen[when]["PYTHONUNBUFFERED"] == "1"


@each_route
def test_what_is_meant_for_the_server_is_withheld_from_apps(
    tmp_path, route, monkeypatch, request
):
    """Its own variables, and the service manager's."""
    for name in ("PASSTWIST_LISTEN", "LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("LISTENER", "kept")
    driver = request.getfixturevalue("driver")
    env = report(driver.spawn(make_app(tmp_path / "site", REPORT), route))["env"]
    withheld = ("PASSTWIST_", "LISTEN_", "NOTIFY_SOCKET")
    assert [name for name in env if name.startswith(withheld)] == []
    assert env["LISTENER"] == "kept"


def test_siblings_draw_different_random_numbers(driver, tmp_path):
    """Forked from one state, reseeded each."""
    app = make_app(tmp_path / "site", REPORT)
    drawn = {report(driver.spawn(app, BOTH))["random"] for _ in range(3)}
    assert len(drawn) == 3


SIGNALS_AT_IMPORT = (
    """
import signal
signal.signal(signal.SIGUSR1, lambda *a: None)
signal.signal(signal.SIGTERM, lambda *a: None)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
"""
    + REPORT
)


def test_signal_handlers_of_the_spawner_are_not_the_workers(driver, tmp_path):
    """What the app has set at import is reset; TERM works."""
    spawn = driver.spawn(make_app(tmp_path / "site", SIGNALS_AT_IMPORT), ("app",))
    assert report(spawn)["handled"] == ["SIGHUP", "SIGINT", "SIGTERM"]
    os.kill(spawn.pid(WORKER), signal.SIGTERM)
    assert reap(spawn.pid(WORKER)) == ExitStatus(code=0)


@pytest.mark.parametrize("layer", [FRAMEWORK, APP])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_spawners_ignore_what_is_meant_for_the_controller(driver, hello, layer, number):
    """They end with the channel from above."""
    spawn = driver.spawn(hello, BOTH)
    spawn.ready()
    os.kill(driver.manager, number)
    os.kill(spawn.pid(layer), number)
    again = driver.spawn(hello, BOTH)
    again.ready()
    assert again.started() == [WORKER]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_worker_shrugs_at_ctrl_c_and_hangup(driver, hello, number):
    """In the middle of waiting for a request."""
    spawn = driver.spawn(hello)
    worker = spawn.ready()
    session = spawn.connect()
    os.kill(worker, number)
    assert session.get() == f"hello from {worker}"


GATED = """
import atexit, os, sys
from passtwist.lifecycle import on

on("worker_stopping")(lambda: print("stopping"))
atexit.register(print, "at exit")
sys.stdout.write("unfinished")

def app(environ, start_response):
    start_response("200 OK", [])
    with open(environ["PATH_INFO"], "rb") as gate:
        return [gate.read()]
"""


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("route", [(), ("app",)], ids=str)
def test_a_worker_finishes_its_request_on_term_and_leaves_in_peace(
    driver, tmp_path, route, threads
):
    """Answered in full; hooks, then atexit; status 0; no new connection."""
    app = make_app(tmp_path / "site", GATED, threads=threads)
    gate = str(tmp_path / "gate")
    os.mkfifo(gate)
    spawn = driver.spawn(app, route)
    worker = spawn.ready()
    sessions = [spawn.connect() for _ in range(threads)]
    assert sorted(each.slot for each in sessions) == list(range(threads))
    sessions[0].ask(gate, number=5)
    base = sessions[0].slot * 4
    until(lambda: spawn.scoreboard[base] == 5, "the request's number")
    os.kill(worker, signal.SIGTERM)
    until(lambda: refused(spawn.socket_path), "the end of accepting")
    for idle in sessions[1:]:
        assert idle.read_frames() == []
    with open(gate, "wb") as file:
        file.write(b"the answer")
    assert sessions[0].answer().body == b"the answer"
    assert reap(worker) == ExitStatus(code=0)
    spawn.drain()
    assert spawn.output[WORKER].decode().replace("unfinished", "") == (
        "stopping\nat exit\n"
    )


def test_threads_hear_of_term_under_each_interpreter(driver, tmp_path, python):
    """The main thread waits for the others, and still handles signals."""
    app = make_app(tmp_path / "site", HELLO, threads=2, python=python)
    spawn = driver.spawn(app, ("app",))
    worker = spawn.ready()
    assert spawn.connect().get() == f"hello from {worker}"
    os.kill(worker, signal.SIGTERM)
    assert reap(worker) == ExitStatus(code=0)


BROKEN_THREAD = (
    """
import sys
from passtwist.worker import wsgi

def broken(self, connection, request):
    raise MemoryError("of ours")

wsgi.WsgiHalf.answer = broken
"""
    + HELLO
)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_worker_whose_loop_breaks_ends_and_does_not_go_on_half(
    driver, tmp_path, threads
):
    """The controller sees its end; a lost thread it could not see."""
    spawn = driver.spawn(make_app(tmp_path / "site", BROKEN_THREAD, threads=threads))
    worker = spawn.ready()
    session = spawn.connect()
    session.ask()
    assert reap(worker) == ExitStatus(code=70)
    assert session.read_frames() == []
    spawn.drain()
    assert b"MemoryError: of ours" in spawn.output[WORKER]


def refused(path):
    """Whether nobody accepts on the socket any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
    return False


def test_an_idle_worker_leaves_at_once_on_term(driver, hello):
    """With and without a connection."""
    for connected in (True, False):
        spawn = driver.spawn(hello)
        worker = spawn.ready()
        if connected:
            spawn.connect()
        os.kill(worker, signal.SIGTERM)
        assert reap(worker) == ExitStatus(code=0)


def test_a_request_that_came_only_in_part_is_not_begun(driver, hello):
    """Its number is not on the scoreboard: the controller asks another worker."""
    spawn = driver.spawn(hello)
    worker = spawn.ready()
    session = spawn.connect()
    start = wire.encode_request_start(9, [b"PATH_INFO", b"/"])
    session.socket.sendall(start)
    os.kill(worker, signal.SIGTERM)
    assert reap(worker) == ExitStatus(code=0)
    assert (session.answer().head, spawn.scoreboard[0]) == (b"", 0)


def test_the_scoreboard_tells_what_a_worker_is_doing(driver, tmp_path):
    """Number, state, start, and how many were finished."""
    app = make_app(tmp_path / "site", GATED)
    gate = str(tmp_path / "gate")
    os.mkfifo(gate)
    spawn = driver.spawn(app)
    spawn.ready()
    page = spawn.scoreboard
    assert list(page[:4]) == [0, 0, 0, 0]
    session = spawn.connect()
    assert list(page[:4]) == [0, 1, 0, 0]
    session.ask(gate, number=2**40)
    until(lambda: page[1] == 2, "the state running")
    assert (page[0], page[2] > 0, page[3]) == (2**40, True, 0)
    with open(gate, "wb"):
        pass
    session.answer()
    until(lambda: page[1] == 1, "the state idle")
    assert (page[0], page[3]) == (2**40, 1)


NESTED = """
def app(environ, start_response):
    start_response("200 OK", [])
    with open(environ["PATH_INFO"], "rb") as gate:
        return [gate.read()]
"""


def test_usr2_dumps_the_stacks_of_all_threads(driver, tmp_path):
    """And the worker goes on."""
    app = make_app(tmp_path / "site", NESTED)
    gate = str(tmp_path / "gate")
    os.mkfifo(gate)
    spawn = driver.spawn(app, ("app",))
    worker = spawn.ready()
    session = spawn.connect()
    session.ask(gate, number=1)
    until(lambda: spawn.scoreboard[1] == 2, "the state running")
    os.kill(worker, signal.SIGUSR2)

    def dumped():
        spawn.drain()
        return f'File "{app.root}/site_app.py", line 4 in app' in (
            spawn.stacks[WORKER].decode()
        )

    until(dumped, "the dump")
    with open(gate, "wb") as file:
        file.write(b"on")
    assert session.answer().body == b"on"


STUCK_AT_EXIT = (
    """
import atexit, threading
from passtwist.worker import leaving
leaving.LEAVING_LIMIT = 0.2
atexit.register(threading.Event().wait)
"""
    + HELLO
)


def test_a_worker_that_is_stuck_in_atexit_leaves_all_the_same(driver, tmp_path):
    """After its time, with status 0 and a line in the log."""
    spawn = driver.spawn(make_app(tmp_path / "site", STUCK_AT_EXIT))
    worker = spawn.ready()
    os.kill(worker, signal.SIGTERM)
    assert reap(worker) == ExitStatus(code=0)
    spawn.drain()
    assert b"worker_stopping and atexit took over" in spawn.output[WORKER]


HOOKS = (
    """
import os
from passtwist.lifecycle import EVENTS, on

def say(event):
    on(event)(lambda: print(event, flush=True))

for event in EVENTS:
    say(event)
"""
    + HELLO
)


def test_lifecycle_events_come_in_order_and_in_their_process(driver, tmp_path):
    """before_fork once, in the spawner; the others in each worker."""
    app = make_app(tmp_path / "site", HOOKS)
    first, second = driver.spawn(app, ("app",)), driver.spawn(app, ("app",))
    for spawn in (first, second):
        os.kill(spawn.ready(), signal.SIGTERM)
        reap(spawn.pid(WORKER))
        spawn.drain()
        assert spawn.output[WORKER] == (
            b"after_fork\nworker_started\nworker_stopping\n"
        )
    assert first.output[APP] == b"before_fork\n"


def test_a_fresh_worker_has_no_fork_and_so_no_events_of_one(driver, tmp_path):
    spawn = driver.spawn(make_app(tmp_path / "site", HOOKS))
    spawn.ready()
    until(lambda: spawn.drain() or spawn.output[WORKER], "its output")
    assert spawn.output[WORKER] == b"worker_started\n"


STOPPING = (
    """
import atexit
import sys
from passtwist.lifecycle import on

@on("worker_stopping")
def breaks():
    raise ValueError("first")

@on("worker_stopping")
def exits():
    sys.exit(3)

@on("worker_stopping")
def works():
    print("last", flush=True)

atexit.register(print, "at exit", flush=True)
"""
    + HELLO
)


@pytest.mark.parametrize("route", [(), ("app",)], ids=str)
def test_a_worker_stopping_function_that_raises_is_logged_and_stops_no_other(
    driver, tmp_path, route
):
    """In order of registration; the worker ends as if nothing had happened."""
    spawn = driver.spawn(make_app(tmp_path / "site", STOPPING), route)
    os.kill(spawn.ready(), signal.SIGTERM)
    assert reap(spawn.pid(WORKER)) == ExitStatus(code=0)
    spawn.drain()
    told = [
        line
        for line in spawn.output[WORKER].decode().splitlines()
        if not line.startswith(" ")
    ]
    assert told == [
        "passtwist: worker_stopping: Traceback (most recent call last):",
        "ValueError: first",
        "passtwist: worker_stopping: Traceback (most recent call last):",
        "SystemExit: 3",
        "last",
        "at exit",
    ]


ORDER = (
    """
import os
from passtwist.lifecycle import on

def say(event, number):
    on(event)(lambda: print(event, number, flush=True))

for number in (1, 2):
    for event in ("worker_stopping", "worker_started", "after_fork", "before_fork"):
        say(event, number)
"""
    + HELLO
)


def test_functions_for_an_event_are_called_in_order_of_registration(driver, tmp_path):
    """Events come in the order of a process's life, however they are registered."""
    spawn = driver.spawn(make_app(tmp_path / "site", ORDER), ("app",))
    os.kill(spawn.ready(), signal.SIGTERM)
    reap(spawn.pid(WORKER))
    spawn.drain()
    assert spawn.output[APP].split(b"\n") == [b"before_fork 1", b"before_fork 2", b""]
    assert spawn.output[WORKER].decode().splitlines() == [
        f"{event} {number}"
        for event in ("after_fork", "worker_started", "worker_stopping")
        for number in (1, 2)
    ]


TIMEOUT = (
    """
import socket
socket.setdefaulttimeout(0.05)
"""
    + HELLO
)


@each_route
def test_a_default_timeout_of_the_apps_sockets_is_not_ours(driver, tmp_path, route):
    """A worker may wait for its next request for as long as it takes."""
    spawn = driver.spawn(make_app(tmp_path / "site", TIMEOUT), route)
    worker = spawn.ready()
    session = spawn.connect()
    # Longer than the app's timeout: nothing must happen meanwhile.
    session.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        session.read_frames()
    session.socket.settimeout(20)
    assert session.get() == f"hello from {worker}"


def test_a_worker_with_threads_serves_that_many_at_a_time(driver, tmp_path):
    """Each connection has a thread and a slot; one more waits to be accepted."""
    app = make_app(tmp_path / "site", GATED, threads=2)
    gates = [str(tmp_path / name) for name in "ab"]
    for gate in gates:
        os.mkfifo(gate)
    spawn = driver.spawn(app, BOTH)
    spawn.ready()
    sessions = [spawn.connect() for _ in gates]
    for number, (session, gate) in enumerate(zip(sessions, gates, strict=True), 1):
        session.ask(gate, number=number)
    until(lambda: [spawn.scoreboard[1], spawn.scoreboard[5]] == [2, 2], "both running")
    for session, gate in zip(sessions, gates, strict=True):
        with open(gate, "wb") as file:
            file.write(gate.encode())
        assert session.answer().body.decode() == gate


def test_a_worker_accepts_again_when_its_connection_is_closed(driver, hello):
    """As after a request whose client went away."""
    spawn = driver.spawn(hello)
    worker = spawn.ready()
    for _ in range(3):
        session = spawn.connect()
        assert session.get() == f"hello from {worker}"
        session.close()


def test_nonsense_on_a_connection_ends_it_and_not_the_worker(driver, hello):
    """With a line in the log."""
    spawn = driver.spawn(hello)
    worker = spawn.ready()
    bad = spawn.connect()
    bad.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert bad.read_frames() == []
    assert spawn.connect().get() == f"hello from {worker}"
    spawn.drain()
    assert b"passtwist: connection closed: frame of type" in spawn.output[WORKER]


def test_the_module_of_the_app_may_have_the_name_of_one_of_ours(driver, tmp_path):
    """Our folder is on nobody's path, and what is imported is the app's."""
    app = make_app(tmp_path / "site", "import bootstrap\nfrom bootstrap import app\n")
    (tmp_path / "site" / "bootstrap.py").write_text(HELLO)
    (tmp_path / "site" / "wire.py").write_text("")
    for route in ROUTES:
        spawn = driver.spawn(replace(app), route)
        worker = spawn.ready()
        assert spawn.connect().get() == f"hello from {worker}"


def test_a_worker_that_waits_is_woken_once_for_each_request(driver, hello):
    """And not once more when its answer is read, which makes room to write."""
    requests = 20
    spawn = driver.spawn(hello, ("app",))
    worker = spawn.ready()
    session = spawn.connect()
    until(lambda: sleeps_of(worker), "its sleep")
    before = sleeps_of(worker)
    for number in range(1, requests + 1):
        session.ask(number=number)
        until(lambda: spawn.scoreboard[REQUESTS] == number, "the answer")  # noqa: B023
        until(lambda: sleeps_of(worker), "its sleep")
        assert session.answer().body == f"hello from {worker}".encode()
        until(lambda: sleeps_of(worker), "its sleep")
    # A page fault may cost it a sleep as well.
    assert requests <= sleeps_of(worker) - before < requests * 1.5


def sleeps_of(pid):
    """How often a process went to sleep until now; 0 when it is not asleep."""
    status = Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    if not fields["State"].startswith("S"):
        return 0
    return int(fields["voluntary_ctxt_switches"])
