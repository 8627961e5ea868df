"""Whatever is killed with SIGKILL: what was promised to clients holds."""

from __future__ import annotations

import http.client
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from passtwist.testing.waiting import wait_until
from tests.integration.sites import Site, serve

# How an app gets all layers that its method can have: the framework layer is
# there for apps that use a framework, or say so.
ROUTES = {
    "conservative": {"spawn_method": "conservative"},
    "smart-lv2": {"spawn_method": "smart-lv2"},
    "smart": {
        "spawn_method": "smart",
        "framework": "flask",
        "entry": "passenger_wsgi:application",
    },
}
DEAD_WITHIN = 5.0  # seconds: DESIGN, lifelines


def kill(pid):
    assert pid > 1  # 0 would be this test's own process group
    os.kill(pid, signal.SIGKILL)


def pids(server, *states):
    """Pids of the app's workers; one that starts may have none yet."""
    return {worker["pid"] for worker in server.workers("probe", *states)} - {0}


def wait_for_idle(server, count):
    """Wait until the app has *count* idle workers and no other; their pids."""

    def found():
        workers = server.workers("probe")
        if [worker["state"] for worker in workers] != ["idle"] * count:
            return None
        return {worker["pid"] for worker in workers}

    return wait_until(found, f"{count} idle workers")


@contextmanager
def traffic(server):
    """Requests one after the other on a kept connection, from two clients.

    Gives the list of answers: a status each, or the exception.
    """
    answers: list[object] = []
    over = threading.Event()

    def ask():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, 30)
        while not over.is_set():
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                response.read()
                answers.append(response.status)
            except Exception as error:  # noqa: BLE001 - the test looks at it
                answers.append(error)
                break
        connection.close()

    clients = [threading.Thread(target=ask) for _ in range(2)]
    for client in clients:
        client.start()
    try:
        yield answers
    finally:
        over.set()
        for client in clients:
            client.join()


def wait_for_more(answers, count=50):
    """Wait until so many further requests were answered."""
    wanted = len(answers) + count
    wait_until(lambda: len(answers) >= wanted, "further answers")


@pytest.mark.parametrize("method", ROUTES)
def test_a_begun_request_whose_worker_is_killed_is_502_and_never_run_again(
    tmp_path, method
):
    """The app has noted it once; the next requests are served by new workers."""
    site = Site(tmp_path, **ROUTES[method], min_instances=2, prestart=True)
    with serve(tmp_path, site) as server, ThreadPoolExecutor(1) as client:
        before = wait_for_idle(server, 2)
        answer = client.submit(server.request, "POST", "/wait?gate=a", b"order")
        site.wait_for_notes("begun a")
        (busy,) = pids(server, "busy")
        kill(busy)
        assert answer.result(30).status == 502
        assert [server.get("/").status for _ in range(20)] == [200] * 20
        after = wait_for_idle(server, 2)
        assert before - after == {busy}
        assert site.notes() == ["begun a"]


def test_all_begun_requests_of_a_killed_worker_are_502(tmp_path):
    """With threads, each of them; what waits in the queue is served."""
    site = Site(tmp_path, threads=3, max_instances=1)
    with serve(tmp_path, site) as server, ThreadPoolExecutor(4) as clients:
        answers = [clients.submit(server.get, f"/wait?gate={n}") for n in range(3)]
        site.wait_for_notes("begun 0", "begun 1", "begun 2")
        queued = clients.submit(server.get, "/note?text=queued")
        wait_until(lambda: server.app("probe")["queue"] == 1, "a queued request")
        (busy,) = pids(server)
        kill(busy)
        assert [answer.result(30).status for answer in answers] == [502] * 3
        assert queued.result(30).status == 200
        assert sorted(site.notes()) == ["begun 0", "begun 1", "begun 2", "queued"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_that_meets_a_worker_killed_just_now_is_given_to_another(
    tmp_path, method
):
    """It was not begun, so that even a POST may be; it runs exactly once."""
    site = Site(tmp_path, min_instances=2, prestart=True)
    with serve(tmp_path, site) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, 30)
        for number in range(12):
            idle = wait_for_idle(server, 2)
            for pid in idle:
                kill(pid)
            body = b"order" if method == "POST" else None
            connection.request(method, f"/note?text={number}", body)
            response = connection.getresponse()
            assert (response.status, response.read()) == (200, b"%d" % number)
        connection.close()
        assert site.notes() == [str(number) for number in range(12)]


@pytest.mark.parametrize(
    ("method", "layer"),
    [
        ("smart", "framework"),
        ("smart", "app"),
        ("smart-lv2", "app"),
        ("smart-lv2", "manager"),
        ("conservative", "manager"),
    ],
)
def test_nobody_notices_the_death_of_a_layer_of_the_spawn_server(
    tmp_path, method, layer
):
    """Workers go on, and the next spawn makes what it needs anew."""
    site = Site(tmp_path, **ROUTES[method], min_instances=2)
    with serve(tmp_path, site) as server, traffic(server) as answers:
        before = wait_until(
            lambda: found if len(found := pids(server)) == 2 else None, "two workers"
        )
        old = layer_pid(server, layer)
        kill(old)
        wait_for_more(answers)
        assert pids(server) == before
        victim = min(before)
        kill(victim)
        # A request that it had begun is lost with it: not what is tested here.
        wait_until(
            lambda: len(pids(server, "idle", "busy") - before) == 1, "a new worker"
        )
        wait_for_more(answers)
        new = layer_pid(server, layer)
    assert new not in (0, old)
    assert set(answers) <= {200, 502}
    assert answers.count(502) <= 1


def test_a_manager_that_is_killed_again_and_again_is_replaced_each_time(tmp_path):
    """Whoever kills it says nothing about whether it can run."""
    site = Site(tmp_path)
    with serve(tmp_path, site) as server:
        for _ in range(12):
            old = layer_pid(server, "manager")
            kill(old)
            wait_until(
                lambda old=old: layer_pid(server, "manager") not in (0, old),
                "another manager",
            )
        assert server.get("/").text == "hello from probe"
        assert "keeps dying" not in server.log()


def layer_pid(server, layer):
    """The pid of that layer; waits until there is one."""

    def found():
        if layer == "manager":
            return server.status()["spawn_server"]["pid"]
        spawners = server.spawners(layer)
        return spawners[0]["pid"] if spawners else None

    return wait_until(found, f"the {layer} layer")


@pytest.mark.parametrize("method", ROUTES)
def test_nothing_outlives_a_killed_controller_and_the_next_one_serves(tmp_path, method):
    """Not a worker in an endless loop, nor one that loads its app in one."""
    site = Site(tmp_path, **ROUTES[method], min_instances=2)
    stuck = Site(tmp_path, "stuck", base_uri="/stuck", **ROUTES[method])
    stuck.write(
        "passenger_wsgi.py",
        "open('loading', 'w').close()\nwhile True:\n    pass\napplication = None\n",
    )
    with serve(tmp_path, site, stuck) as server, ThreadPoolExecutor(2) as clients:
        clients.submit(server.get, "/stuck/")
        clients.submit(server.get, "/spin")
        site.wait_for_notes("spinning")
        wait_until((stuck.root / "loading").exists, "the app that never loads")
        assert len(server.processes()) >= 3  # the manager and both that are stuck
        server.kill()
        wait_until(lambda: not server.processes(), "everything to end", DEAD_WITHIN)
        left = {path.name for path in server.runtime_dir.iterdir()}
        assert left >= {"lock", "code", "sockets", "admin.sock"}

        (stuck.root / "loading").unlink()
        server.start()
        assert server.get("/").status == 200
        assert server.stop() == 0


def test_a_worker_that_was_stopped_by_a_signal_dies_with_the_controller(tmp_path):
    """SIGKILL reaches a stopped process too."""
    site = Site(tmp_path)
    with serve(tmp_path, site) as server:
        assert server.get("/").status == 200
        (worker,) = wait_for_idle(server, 1)
        os.kill(worker, signal.SIGSTOP)
        server.kill()
        wait_until(lambda: not server.processes(), "everything to end", DEAD_WITHIN)


def test_the_log_tells_a_death_that_nobody_asked_for_from_one_that_was(tmp_path):
    site = Site(tmp_path)
    with serve(tmp_path, site) as server:
        assert server.get("/").status == 200
        (worker,) = wait_for_idle(server, 1)
        kill(worker)
        server.wait_for_log(
            f"worker {worker} of probe was killed by signal SIGKILL (9)"
            "; not by us: out of memory?"
        )
        (successor,) = wait_for_idle(server, 1)
        assert server.stop() == 0
        server.wait_for_log(f"worker {successor} of probe exited with status 0\n")
