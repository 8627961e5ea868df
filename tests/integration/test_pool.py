"""How many workers there are, who gets them, and who waits."""

from __future__ import annotations

import http.client
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from passtwist.testing.waiting import wait_until
from tests.integration.sites import Site, serve

# Apps that do not meet, because the pool has room for all of them; each is one
# test's own, named for it.
SITES = {
    "on-demand": {"min_instances": 2},
    "prestart": {"prestart": True, "min_instances": 2},
    "second": {},
    "in-order": {"max_instances": 1},
    "full-queue": {"max_instances": 1, "max_queue_size": 2},
    "too-long": {"max_instances": 1, "max_queue_time": "100ms", "prestart": True},
    "slow-reader": {"max_instances": 1},
    "slow-sender": {"max_instances": 1},
    "left-waiting": {"max_instances": 1},
    "left-running": {"max_instances": 1},
    "endless": {"max_instances": 1},
}
ENDLESS = """
import time

def endless():
    while True:
        yield b"x" * 1000
        time.sleep(0.005)

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return endless() if environ["PATH_INFO"] == "/endless" else [b"done"]
"""


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sites")
    found = {
        name: Site(folder, name, base_uri=f"/{name}", **keys)
        for name, keys in SITES.items()
    }
    found["endless"].write("passenger_wsgi.py", ENDLESS)
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory, sites):
    """For the apps of SITES."""
    folder = tmp_path_factory.mktemp("server")
    with serve(folder, *sites.values(), max_pool_size=40) as running:
        yield running


def states(server, name):
    return sorted(worker["state"] for worker in server.workers(name))


def wait_for_states(server, name, *expected):
    wait_until(
        lambda: states(server, name) == sorted(expected), f"{name} to have {expected}"
    )


def wait_for_queue(server, name, count):
    wait_until(lambda: server.app(name)["queue"] == count, f"{count} queued for {name}")


@contextmanager
def held(server, site, *gates):
    """Requests that run until the end of the block; all of them are answered."""
    path = site.keys.get("base_uri", "")
    with ThreadPoolExecutor(len(gates)) as clients:
        answers = [
            clients.submit(server.get, f"{path}/wait?gate={gate}") for gate in gates
        ]
        try:
            site.wait_for_notes(*(f"begun {gate}" for gate in gates))
            yield
        finally:
            for gate in gates:
                site.open_gate(gate)
        assert [answer.result(30).text for answer in answers] == list(gates)


def test_an_app_has_no_worker_before_its_first_request(server, sites):
    """On demand, and then as many as min_instances."""
    app = server.app("on-demand")
    assert (app["state"], app["workers"], app["queue"]) == ("stopped", [], 0)
    assert server.get("/on-demand/").status == 200
    wait_for_states(server, "on-demand", "idle", "idle")
    assert server.app("on-demand")["state"] == "ready"


def test_prestart_starts_the_minimum_at_boot(server):
    """Nobody has to ask first."""
    wait_for_states(server, "prestart", "idle", "idle")
    assert [worker["requests"] for worker in server.workers("prestart")] == [0, 0]


def test_a_second_worker_starts_when_the_first_is_busy(server, sites):
    """And the request that made it start is answered while the first still runs."""
    with held(server, sites["second"], "a"):
        assert server.get("/second/").status == 200
        wait_for_states(server, "second", "busy", "idle")


def test_max_instances_holds_and_the_queue_keeps_its_order(server, sites):
    """Requests wait, in the order in which they came."""
    site = sites["in-order"]
    with ThreadPoolExecutor(5) as clients:
        waiting = []
        with held(server, site, "a"):
            for number in range(5):
                path = f"/in-order/note?text={number}"
                waiting.append(clients.submit(server.get, path))
                wait_for_queue(server, "in-order", number + 1)
            assert states(server, "in-order") == ["busy"]
        assert [answer.result(30).status for answer in waiting] == [200] * 5
    assert site.notes() == ["begun a", "ended a", "0", "1", "2", "3", "4"]


def test_a_full_queue_is_answered_503_at_once(server, sites):
    """With Retry-After; those in the queue are served."""
    site = sites["full-queue"]
    with ThreadPoolExecutor(2) as clients:
        with held(server, site, "a"):
            queued = [clients.submit(server.get, "/full-queue/") for _ in range(2)]
            wait_for_queue(server, "full-queue", 2)
            refused = server.get("/full-queue/note?text=refused")
            assert refused.status == 503
            assert int(refused.headers["Retry-After"]) > 0
        assert [answer.result(30).status for answer in queued] == [200, 200]
    assert server.get("/full-queue/").status == 200
    assert site.notes() == ["begun a", "ended a"]


def test_a_request_that_waits_too_long_is_answered_504(server, sites):
    """After max_queue_time; the app never sees it."""
    # A start takes longer than that, and would be waited for in vain.
    wait_for_states(server, "too-long", "idle")
    with held(server, sites["too-long"], "a"):
        assert server.get("/too-long/note?text=late").status == 504
    assert server.get("/too-long/").status == 200
    assert sites["too-long"].notes() == ["begun a", "ended a"]


def test_a_slow_reader_does_not_hold_a_worker(server):
    """A big response goes to the controller; its worker serves others meanwhile."""
    size = 20_000_000
    with server.connect() as slow:
        slow.sendall(
            b"GET /slow-reader/big?size=%d HTTP/1.1\r\nHost: x\r\n"
            b"Connection: close\r\n\r\n" % size
        )
        head = slow.recv(100)
        assert head.startswith(b"HTTP/1.1 200 ")
        # It has taken a hundred bytes, and the only worker is free for others.
        connection = http.client.HTTPConnection("127.0.0.1", server.port, 30)
        for _ in range(20):
            connection.request("GET", "/slow-reader/")
            assert connection.getresponse().read() == b"hello from slow-reader"
        connection.close()
        (worker,) = server.workers("slow-reader")
        assert worker["requests"] == 21
        received = len(head)
        while piece := slow.recv(1 << 20):
            received += len(piece)
        assert received > size


def test_a_slow_sender_does_not_hold_a_worker(server, sites):
    """Its body is read whole before one is taken."""
    with server.connect() as slow:
        slow.sendall(
            b"POST /slow-sender/note?text=slow HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: 10\r\nConnection: close\r\n\r\n12345"
        )
        for number in range(5):
            assert server.get(f"/slow-sender/note?text={number}").status == 200
        slow.sendall(b"67890")
        assert slow.recv(100).startswith(b"HTTP/1.1 200 ")
    assert sites["slow-sender"].notes() == ["0", "1", "2", "3", "4", "slow"]


def test_a_client_that_leaves_while_it_waits_never_reaches_the_app(server, sites):
    """Its request is taken from the queue."""
    site = sites["left-waiting"]
    with held(server, site, "a"):
        with server.connect() as client:
            client.sendall(b"GET /left-waiting/note?text=x HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for_queue(server, site.name, 1)
        wait_for_queue(server, site.name, 0)
    assert server.get("/left-waiting/note?text=after").status == 200
    assert site.notes() == ["begun a", "ended a", "after"]


def test_a_client_that_leaves_while_its_request_runs_frees_the_worker(server, sites):
    """The request is finished, its answer goes to nobody, the next one is right."""
    site = sites["left-running"]
    with server.connect() as client:
        client.sendall(b"GET /left-running/wait?gate=a HTTP/1.1\r\nHost: x\r\n\r\n")
        site.wait_for_notes("begun a")
    site.open_gate("a")
    assert server.get("/left-running/note?text=after").text == "after"
    (worker,) = server.workers(site.name)
    assert worker["requests"] == 2
    assert site.notes() == ["begun a", "ended a", "after"]


def test_an_endless_response_ends_when_its_client_leaves(server):
    """The worker sees the end and is free again."""
    with server.connect() as client:
        client.sendall(b"GET /endless/endless HTTP/1.1\r\nHost: x\r\n\r\n")
        received = 0
        while received < 10_000:
            received += len(client.recv(65536))
    assert server.get("/endless/").text == "done"


def test_when_the_pool_is_full_the_longest_idle_worker_gives_way(tmp_path):
    """To an app that needs room; of the idle ones the one idle for longest."""
    first = Site(tmp_path, "first", base_uri="/first")
    second = Site(tmp_path, "second", base_uri="/second")
    third = Site(tmp_path, "third", base_uri="/third")
    with serve(tmp_path, first, second, third, max_pool_size=2) as server:
        assert server.get("/first/").status == 200
        assert server.get("/second/").status == 200
        # `first` has been idle for longer, until it is asked again.
        assert server.get("/first/").status == 200
        (kept,) = server.workers("first")
        assert server.get("/third/").status == 200
        wait_until(lambda: not server.workers("second"), "the worker to leave")
        assert [worker["pid"] for worker in server.workers("first")] == [kept["pid"]]
        assert server.app("second")["state"] == "stopped"
        assert "gives its place to third" in server.log()
        # It comes back when it is asked for.
        assert server.get("/second/").status == 200


def test_an_app_waits_for_room_when_all_workers_of_the_others_are_busy(tmp_path):
    """It gets the first worker's place that is free, and nobody starves."""
    first = Site(tmp_path, "first", base_uri="/first")
    second = Site(tmp_path, "second", base_uri="/second")
    with (
        serve(tmp_path, first, second, max_pool_size=1) as server,
        ThreadPoolExecutor(1) as client,
    ):
        with held(server, first, "a"):
            answer = client.submit(server.get, "/second/")
            wait_for_queue(server, "second", 1)
            assert server.workers("second") == []
        assert answer.result(30).text == "hello from second"


def test_idle_workers_above_the_minimum_leave_and_the_minimum_stays(tmp_path):
    """After pool_idle_time; the log says why."""
    site = Site(tmp_path)
    with serve(tmp_path, site, pool_idle_time="300ms") as server:
        with held(server, site, "a", "b", "c"):
            assert len(server.workers("probe")) == 3
        wait_for_states(server, "probe", "idle")
        log = server.wait_for_log("was idle for")
        assert "Traceback" not in log
        assert server.get("/").status == 200


def test_many_clients_at_once_all_get_their_own_answer(tmp_path):
    """Two apps, four workers, sixteen connections: no answer goes astray."""
    sites = [Site(tmp_path, name, base_uri=f"/{name}") for name in ("one", "two")]
    wrong, right = [], []
    with serve(tmp_path, *sites, max_pool_size=4) as server:

        def ask(client):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, 30)
            for number in range(15):
                name = ("one", "two")[(client + number) % 2]
                size = 1 + (client * 7919 + number * 104_729) % 70_000
                body = bytes([client]) * size
                connection.request("POST", f"/{name}/echo", body)
                matches = connection.getresponse().read() == body
                (right if matches else wrong).append((client, number))
            connection.close()

        clients = [threading.Thread(target=ask, args=(n,)) for n in range(16)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert (wrong, len(right)) == ([], 16 * 15)
