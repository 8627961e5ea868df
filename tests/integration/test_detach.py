"""`passtwist detach`, `disable` and `enable`: one worker out of service."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from passtwist.testing.waiting import wait_until
from tests.integration.commands import complaint, output
from tests.integration.sites import Site, serve


def two_workers(server):
    """The pids of two idle workers."""

    def found():
        workers = server.workers("probe", "idle")
        return sorted(one["pid"] for one in workers) if len(workers) == 2 else None

    return wait_until(found, "two idle workers")


def wait_for_end_of(pid):
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), f"the end of {pid}")


def test_a_detached_worker_finishes_and_leaves(tmp_path):
    """It gets nothing more; another takes its place."""
    site = Site(tmp_path, min_instances=2, prestart=True)
    with serve(tmp_path, site) as server, ThreadPoolExecutor(1) as client:
        before = two_workers(server)
        answer = client.submit(server.get, "/wait?gate=a")
        site.wait_for_notes("begun a")
        (busy,) = (one["pid"] for one in server.workers("probe", "busy"))
        assert output(server, "detach", busy) == (
            f"worker {busy} of probe: leaves when it has done what it has: 1 request\n"
        )
        assert busy not in {int(server.get("/pid").text) for _ in range(10)}
        again = complaint(server, "detach", busy)
        assert again == f"worker {busy} is leaving already"
        site.open_gate("a")
        assert (answer.result(30).status, answer.result().text) == (200, "a")
        wait_for_end_of(busy)
        assert set(two_workers(server)) - set(before)
        server.wait_for_log(f"worker {busy} of probe exited with status 0")


def test_a_disabled_worker_stays_but_gets_nothing_until_it_is_enabled(tmp_path):
    """All requests go to the other one meanwhile."""
    site = Site(tmp_path, min_instances=2, max_instances=2, prestart=True)
    with serve(tmp_path, site) as server:
        one, other = two_workers(server)
        assert output(server, "disable", one) == (
            f"worker {one} of probe: gets no more requests; it has: no request\n"
        )
        served = {int(server.get("/pid").text) for _ in range(20)}
        assert one not in served
        assert one in [worker["pid"] for worker in server.workers("probe")]
        assert output(server, "enable", one) == (
            f"worker {one} of probe: gets requests again\n"
        )
        assert output(server, "disable", other).startswith(f"worker {other} of probe: ")
        served = {int(server.get("/pid").text) for _ in range(20)}
        assert other not in served


@pytest.mark.parametrize("command", ["detach", "disable", "enable"])
def test_a_pid_that_is_no_workers_is_refused_with_what_it_is(
    command, idle_server, idle_pids
):
    """And with those there are, as it may be mistyped."""
    worker, spawner, status = idle_pids
    said = {
        "nobody": complaint(idle_server, command, 1),
        "controller": complaint(idle_server, command, status["pid"]),
        "manager": complaint(idle_server, command, status["spawn_server"]["pid"]),
        "spawner": complaint(idle_server, command, spawner["pid"]),
    }
    assert said == {
        "nobody": (
            f"no worker of this server has the pid 1; its workers: {worker['pid']}"
        ),
        "controller": f"{status['pid']} is no worker but the controller",
        "manager": (
            f"{status['spawn_server']['pid']} is no worker but the spawn manager"
        ),
        "spawner": f"{spawner['pid']} is no worker but the app spawner of probe",
    }
    assert idle_server.workers("probe")[0]["pid"] == worker["pid"]


@pytest.fixture(scope="module")
def idle_server(tmp_path_factory):
    """One app with one worker."""
    folder = tmp_path_factory.mktemp("idle")
    site = Site(folder, spawn_method="smart-lv2", prestart=True, max_instances=1)
    with serve(folder, site) as server:
        wait_until(lambda: server.workers("probe", "idle"), "a worker")
        yield server


@pytest.fixture
def idle_pids(idle_server):
    """Its worker, its app spawner, and its status."""
    (worker,) = idle_server.workers("probe")
    (spawner,) = idle_server.spawners("app")
    return worker, spawner, idle_server.status()
