"""What goes wrong around a running server, and that it goes on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from passtwist.testing.server import CUT_OFF, RunningServer
from passtwist.testing.waiting import PATIENCE, wait_until
from tests.integration.accounts import site_of
from tests.integration.sites import Site, serve

# A quarter of it is how long a layer of the spawn server may be silent.
START_TIMEOUT = "8s"


def pids(server, *states):
    return {worker["pid"] for worker in server.workers("probe", *states)} - {0}


def spawner_pid(server):
    (spawner,) = server.spawners("app")
    return spawner["pid"]


def manager_pid(server):
    return server.status()["spawn_server"]["pid"]


# --- P13, P14: layers that hang -----------------------------------------------


@pytest.mark.parametrize(
    ("of", "how"), [(spawner_pid, "conservative"), (manager_pid, "smart-lv2")]
)
def test_a_layer_that_was_stopped_holds_no_request_for_long(tmp_path, of, how):
    """Live workers answer meanwhile; who needs a new one gets it, with a log line."""
    site = Site(tmp_path, spawn_method="smart-lv2", start_timeout=START_TIMEOUT)
    with serve(tmp_path, site) as server, ThreadPoolExecutor(1) as client:
        assert server.get("/").status == 200
        hung = of(server)
        os.kill(hung, signal.SIGSTOP)
        assert [server.get("/").status for _ in range(20)] == [200] * 20
        busy = client.submit(server.get, "/wait?gate=a")
        site.wait_for_notes("begun a")
        assert server.get("/").status == 200
        site.open_gate("a")
        assert busy.result(PATIENCE).status == 200
        methods = sorted(one["spawn_method"] for one in server.workers("probe"))
        assert methods == sorted(["smart-lv2", how])
        server.wait_for_log(f"{hung} held the spawn for 2 s and did nothing")
        assert server.app("probe")["last_spawn_error"] is None


# --- P17, P18: a worker or a user without room ----------------------------------

HOG = """
import os

HELD = []


def application(environ, start_response):
    if environ["PATH_INFO"] == "/hog":
        while True:
            HELD.append(os.open("/dev/null", os.O_RDONLY))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d with %d" % (os.getpid(), len(HELD) > 10)]
"""


def test_an_app_that_runs_out_of_descriptors_fails_its_own_requests_only(tmp_path):
    """Status 500 for those that need one; the worker and the front end go on."""
    site = Site(tmp_path, max_instances=1, limits={"nofile": 64})
    site.write("passenger_wsgi.py", HOG)
    with serve(tmp_path, site) as server:
        worker = server.get("/").text.split()[0]
        assert [server.get("/hog").status for _ in range(3)] == [500] * 3
        assert [server.get("/").text for _ in range(20)] == [f"{worker} with 1"] * 20
        assert "Too many open files" in server.log()


# On every Debian, and no other test has processes of that user.
FEW = "irc"


@pytest.mark.root
def test_a_fork_that_the_system_refuses_leaves_those_who_serve_alone(ground):
    """The spawner and one worker are all the processes that this user may have."""
    site = site_of(
        FEW,
        ground,
        "who",
        spawn_method="smart-lv2",
        # A fork is made twice: the process between the two counts as well.
        limits={"nproc": 3},
    )
    with serve(ground, site, default_user="nobody") as server:
        assert server.get("/").status == 200
        (worker,) = server.workers("who")
        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(lambda _: server.get("/").status, range(200)))
        assert answers == [200] * 200
        server.wait_for_log("category: system")
        app = server.app("who")
        assert app["state"] == "degraded"
        assert "Resource temporarily unavailable" in app["last_spawn_error"]
        assert [one["pid"] for one in app["workers"] if one["pid"]] == [worker["pid"]]


# --- P11: an app with processes of its own --------------------------------------

HELPER = """
import os, signal

if not os.fork():
    while True:
        signal.pause()


def application(environ, start_response):
    if environ["PATH_INFO"] == "/hang":
        open("hangs", "w").close()
        while True:
            signal.pause()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % os.getpid()]
"""


def group_of(leader):
    """Pids of the processes in the group that *leader* leads."""
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getpgid(int(name)) == leader:
                found.add(int(name))
        except ProcessLookupError:
            continue
    return found


@pytest.fixture
def helped(tmp_path):
    """An app with a helper, by any method."""

    def make(method):
        site = Site(tmp_path, max_instances=1, spawn_method=method)
        site.write("passenger_wsgi.py", HELPER)
        return site

    return make


def test_a_helper_forked_at_import_ends_with_a_worker_that_is_killed(tmp_path, helped):
    """It is in the worker's process group; the app is served meanwhile."""
    site = helped("conservative")
    with serve(tmp_path, site) as server, ThreadPoolExecutor(1) as client:
        worker = int(server.get("/").text)
        assert len(group_of(worker)) == 2
        client.submit(server.get, "/hang")
        wait_until((site.root / "hangs").exists, "the request that hangs")
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("asked to stop: finishing what runs")
        assert server.stop() == CUT_OFF, "the second signal: now"
        wait_until(lambda: not group_of(worker), "the end of the helper")


@pytest.mark.parametrize("manager_dies_first", [False, True])
def test_a_helper_forked_at_import_ends_with_its_spawner(
    tmp_path, helped, manager_dies_first
):
    """Whoever has to see to it: the manager, or the controller after its death."""
    with serve(tmp_path, helped("smart-lv2")) as server:
        assert server.get("/").status == 200
        spawner = spawner_pid(server)
        assert len(group_of(spawner)) == 2
        if manager_dies_first:
            os.kill(manager_pid(server), signal.SIGKILL)
        else:
            os.kill(spawner, signal.SIGKILL)
        wait_until(lambda: not group_of(spawner), "the end of the helper")
        assert server.get("/").status == 200


def test_a_helper_forked_at_import_ends_with_the_server(tmp_path, helped):
    """With its spawner, that is."""
    with serve(tmp_path, helped("smart-lv2")) as server:
        assert server.get("/").status == 200
        spawner = spawner_pid(server)
        assert server.stop() == 0
        wait_until(lambda: not group_of(spawner), "the end of the helper")


# --- P25: signals that were meant for somebody else -----------------------------


def test_signals_for_the_controller_sent_to_everybody_below_change_nothing(tmp_path):
    """As by pkill -HUP -f, or Ctrl-C in a terminal."""
    site = Site(tmp_path, spawn_method="smart-lv2")
    with serve(tmp_path, site) as server:
        assert server.get("/").status == 200
        before = sorted(server.processes())
        assert len(before) == 3
        for pid in before:
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGHUP):
                os.kill(pid, number)
        assert [server.get("/").status for _ in range(20)] == [200] * 20
        assert sorted(server.processes()) == before


# --- the runtime directory ------------------------------------------------------


def test_the_runtime_directory_may_be_removed_while_the_server_runs(tmp_path):
    """Workers serve on; with the next spawn all is there again, status too."""
    site = Site(tmp_path, spawn_method="smart-lv2")
    with serve(tmp_path, site) as server:
        worker = server.get("/pid").text
        shutil.rmtree(server.runtime_dir)
        assert server.get("/pid").text == worker
        os.kill(int(worker), signal.SIGKILL)
        answers = [server.get("/pid") for _ in range(20)]
        assert {answer.status for answer in answers} == {200}
        assert worker not in {answer.text for answer in answers}
        assert len(pids(server)) == 1
        assert server.log().count("removed, whole or in part") == 1
        assert f"{server.runtime_dir}" in server.log()
        assert server.stop() == 0
        assert not server.runtime_dir.exists()


# --- P33: the controller as the first process -----------------------------------

ORPHANS = """
import os


def states():
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with open("/proc/%s/stat" % name) as file:
            found[int(name)] = file.read().rpartition(")")[2].split()[0]
    return found


def application(environ, start_response):
    if environ["PATH_INFO"] == "/orphan":
        child = os.fork()
        if not child:
            os.setsid()
            for _ in range(5):
                if not os.fork():
                    os._exit(0)
            os._exit(0)
        os.waitpid(child, 0)
    zombies = [pid for pid, state in states().items() if state == "Z"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    facts = os.getpid(), os.getppid(), len(zombies)
    return [b"%d of %d, %d zombies" % facts]
"""


@pytest.mark.root
def test_as_the_first_process_of_a_container_it_reaps_what_nobody_waits_for(tmp_path):
    """And goes on, as with any child that it does not know."""
    first = tmp_path / "first"
    first.write_text(
        f"#!/bin/sh\nexec unshare --pid --fork --mount-proc --kill-child "
        f'{sys.executable} "$@"\n'
    )
    first.chmod(0o755)
    site = Site(tmp_path, spawn_method="smart-lv2")
    site.write("passenger_wsgi.py", ORPHANS)
    server = RunningServer(str(site.root), python=str(first))
    with server:
        for _ in range(3):
            assert server.get("/orphan").status == 200
        wait_until(
            lambda: server.get("/").text.endswith(" of 1, 0 zombies"),
            "the end of all zombies",
        )
        # unshare passes no signal on.
        children = Path(
            f"/proc/{server.process.pid}/task/{server.process.pid}/children"
        )
        os.kill(int(children.read_text()), signal.SIGTERM)
        assert server.wait_for_exit() == 0


# --- P34: a number that belongs to somebody else by now --------------------------

REUSE = """
import os, signal, sys, time

from passtwist.spawning.child import Child


class Reactor:
    def addReader(self, reader): pass
    removeReader = removeWriter = addReader


def start(read):
    pid = os.fork()
    if not pid:
        os.setsid()
        os.read(read, 1)
        os._exit(0)
    return pid


read, write = os.pipe()
pid = start(read)
child = Child(Reactor(), pid, os.geteuid())
os.write(write, b"x")
while not child.reap():
    time.sleep(0.001)
with open("/proc/sys/kernel/ns_last_pid", "w") as file:
    file.write(str(pid - 1))
other = start(read)
assert other == pid, (other, pid)
child.kill()
child.terminate()
os.write(write, b"x")
print(os.waitpid(other, 0)[1], child.exit_status.code)
"""


@pytest.mark.root
def test_a_process_that_got_the_number_of_a_dead_worker_is_not_signalled():
    """In a namespace where the next number can be chosen."""
    found = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", REUSE],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (found.stdout, found.stderr) == ("0 0\n", "")
