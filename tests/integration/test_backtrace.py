"""What the threads of a process are at, whatever they are at."""

from __future__ import annotations

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from passtwist.cli.admin_client import AdminError, WhichServer, order
from passtwist.testing.waiting import PATIENCE, wait_until
from tests.integration.accounts import OWNER, site_of
from tests.integration.commands import complaint, output, run
from tests.integration.sites import Site, serve

# "c" holds the interpreter's lock in C code for as long as anybody will wait.
STUCK = """
import signal
from passenger_wsgi_of_probe import note, application as probe

def in_a_loop():
    note("stuck")
    while True:
        pass

def in_c():
    note("stuck")
    sum(range(10 ** 15))

def with_a_handler():
    signal.signal(signal.SIGUSR2, lambda *_: None)
    note("stuck")
    while True:
        pass

def with_signals_blocked():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    note("stuck")
    while True:
        pass

def application(environ, start_response):
    name = environ["PATH_INFO"].lstrip("/")
    if name in globals():
        globals()[name]()
    return probe(environ, start_response)
"""


def stuck_site(parent, name="probe", **keys):
    """An app that gets stuck as its path says."""
    site = Site(parent, name, **keys)
    original = site.root / "passenger_wsgi.py"
    original.rename(site.root / "passenger_wsgi_of_probe.py")
    site.write("passenger_wsgi.py", STUCK)
    return site


@contextmanager
def stuck(server, site, how, path=""):
    """A request that gets stuck; gives the worker's pid.

    The server is killed in the end, as nothing else would end it soon.
    """
    with server.connect() as client:
        client.sendall(f"GET {path}/{how} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        site.wait_for_notes("stuck")
        (worker,) = server.workers(site.name, "busy")
        yield worker["pid"]


def pid_of(server, name="probe"):
    """The pid of the only worker, once it is idle."""

    def found():
        workers = server.workers(name, "idle")
        return workers[0]["pid"] if workers else None

    return wait_until(found, "an idle worker")


@pytest.mark.interpreter
@pytest.mark.parametrize("how", ["in_a_loop", "in_c"])
def test_a_worker_that_is_stuck_tells_where(tmp_path, interpreters, how):
    """In Python code or in C, under every interpreter; it goes on as before."""
    sites = [
        stuck_site(tmp_path, f"p{minor}", base_uri=f"/p{minor}", python=python)
        for (_, minor), python in interpreters.items()
    ]
    with serve(tmp_path, *sites, max_pool_size=len(sites)) as server:
        for site in sites:
            with stuck(server, site, how, f"/{site.name}") as pid:
                told = output(server, "backtrace", pid)
                lines = told.splitlines()
                assert lines[:2] == [f"worker {pid} of {site.name}:", ""]
                place = rf'File "{site.root}/passenger_wsgi.py", line \d+ in {how}\n'
                assert re.search(place, told)
                # Asked again it tells again.
                assert how in output(server, "backtrace", pid)
                assert site.notes() == ["stuck"]
        server.kill()


def test_all_threads_are_shown(tmp_path):
    """Each with its request, and the main thread, which waits for them."""
    site = Site(tmp_path, threads=3, max_instances=1)
    with serve(tmp_path, site) as server:
        clients = [server.connect() for _ in range(3)]
        for gate, client in enumerate(clients):
            client.sendall(b"GET /wait?gate=%d HTTP/1.1\r\nHost: a\r\n\r\n" % gate)
        site.wait_for_notes("begun 0", "begun 1", "begun 2")
        (worker,) = server.workers("probe", "busy")
        told = output(server, "backtrace", worker["pid"])
        assert len(re.findall(r"(?m)^(?:Current thread|Thread) 0x", told)) == 4
        assert told.count(" in wait_for_gate\n") == 3
        for gate in range(3):
            site.open_gate(gate)
        for client in clients:
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
            client.close()


def test_a_spawner_that_hangs_while_it_loads_the_app_tells_where(tmp_path):
    """And so does the framework spawner above it, which waits."""
    site = Site(
        tmp_path,
        spawn_method="smart",
        framework="flask",
        entry="passenger_wsgi:application",
    )
    site.write(
        "passenger_wsgi.py",
        "def hang():\n    while True:\n        pass\nhang()\napplication = None\n",
    )
    with serve(tmp_path, site) as server, server.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        (app,) = wait_until(lambda: server.spawners("app"), "the app spawner")
        (framework,) = server.spawners("framework")

        def told():
            # Until it has come to the app's code.
            done = run(server, "backtrace", app["pid"])
            return done.stdout if " in hang" in done.stdout else None

        lines = wait_until(told, "the app's frames").splitlines()
        assert lines[0] == f"app spawner {app['pid']} of probe:"
        above = output(server, "backtrace", framework["pid"])
        assert above.startswith(f"framework spawner {framework['pid']} of ")
        assert " in run\n" in above
        server.kill()


def test_a_worker_that_hangs_while_it_loads_the_app_tells_where(tmp_path):
    """Status has its pid, and by that it can be sent away."""
    site = Site(tmp_path, spawn_method="conservative")
    site.write(
        "passenger_wsgi.py",
        "def hang():\n    while True:\n        pass\nhang()\napplication = None\n",
    )
    with serve(tmp_path, site) as server, server.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")

        def starting():
            workers = server.workers("probe", "starting")
            return workers[0]["pid"] if workers else None

        pid = wait_until(starting, "a process that is to be a worker")

        def told():
            done = run(server, "backtrace", pid)
            return done.stdout if " in hang" in done.stdout else None

        lines = wait_until(told, "the app's frames").splitlines()
        assert lines[0] == f"worker {pid} of probe:"
        output(server, "detach", pid)
        wait_until(lambda: starting() != pid, "the end of its start")
        assert server.workers("probe", "idle") == []
        server.kill()


def test_stacks_do_not_get_among_what_the_app_prints(tmp_path):
    """Its log file has none of them; without being asked they are in our log."""
    site = Site(tmp_path, log_file="app.log")
    with serve(tmp_path, site) as server:
        assert server.get("/").status == 200
        pid = pid_of(server)
        assert "_serve_slot" in output(server, "backtrace", pid)
        os.kill(pid, signal.SIGUSR2)
        server.wait_for_log(f"App probe worker {pid} stacks: ")
        assert server.get("/pid").text == str(pid)
        log = site.root / "app.log"
        assert not log.exists() or log.read_bytes() == b""


def refusal(server, pid):
    """Why there are no stacks of it; several threads may ask at a time."""
    which = WhichServer(str(server.runtime_dir))
    with pytest.raises(AdminError) as refused:
        order("backtrace", {"pid": pid}, which, PATIENCE)
    return str(refused.value)


SILENT = {
    "with_a_handler": (
        "it has a handler of its own for SIGUSR2, or has closed its descriptors"
    ),
    "with_signals_blocked": "it blocks SIGUSR2",
    "in_a_loop": "it is stopped, by a signal or a debugger (T (stopped))",
}


def test_workers_that_do_not_hear_the_signal_are_told_of(tmp_path):
    """After some seconds, with what may be the cause; they are not ended by it."""
    sites = {how: stuck_site(tmp_path, how, base_uri=f"/{how}") for how in SILENT}
    with (
        serve(tmp_path, *sites.values()) as server,
        ExitStack() as clients,
        ThreadPoolExecutor(len(SILENT)) as askers,
    ):
        pids = {
            how: clients.enter_context(stuck(server, site, how, f"/{how}"))
            for how, site in sites.items()
        }
        os.kill(pids["in_a_loop"], signal.SIGSTOP)
        told = {how: askers.submit(refusal, server, pid) for how, pid in pids.items()}
        for how, why in SILENT.items():
            expected = f"worker {pids[how]} of {how} does not tell: {why}"
            assert told[how].result(30) == expected
            (busy,) = server.workers(how, "busy")
            assert busy["pid"] == pids[how]
        os.kill(pids["in_a_loop"], signal.SIGCONT)
        assert " in in_a_loop\n" in output(server, "backtrace", pids["in_a_loop"])
        server.kill()


def test_what_is_no_worker_and_no_spawner_is_refused(tmp_path):
    """With what it is, if it is ours; nothing is signalled."""
    site = Site(tmp_path)
    with serve(tmp_path, site) as server:
        status = server.status()
        assert complaint(server, "backtrace", os.getpid()) == (
            f"no worker or spawner of this server has the pid {os.getpid()}"
        )
        assert complaint(server, "backtrace", status["pid"]) == (
            f"{status['pid']} is the controller, which tells no stacks"
        )
        manager = status["spawn_server"]["pid"]
        assert complaint(server, "backtrace", manager) == (
            f"{manager} is the spawn manager, which tells no stacks"
        )
        assert server.status()["spawn_server"]["pid"] == manager


@pytest.mark.root
def test_the_processes_of_other_users_tell_as_well(ground):
    """Worker and spawner of a site that is another user's."""
    site = site_of(OWNER, ground, "site", spawn_method="smart-lv2")
    with serve(ground, site, default_user="nobody") as server:
        assert server.get("/").status == 200
        worker = pid_of(server, "site")
        (spawner,) = server.spawners("app")
        assert "_serve_slot" in output(server, "backtrace", worker)
        assert " in run\n" in output(server, "backtrace", spawner["pid"])
