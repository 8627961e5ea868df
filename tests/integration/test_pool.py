"""How many workers there are, who gets them, and who waits."""

from __future__ import annotations

import http.client
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from passtwist.testing.waiting import wait_until
from tests.integration.sites import Site, serve


def states(server, name="probe"):
    return sorted(worker["state"] for worker in server.workers(name))


def wait_for_states(server, *expected, name="probe"):
    wait_until(
        lambda: states(server, name) == sorted(expected), f"{name} to have {expected}"
    )


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


def test_an_app_has_no_worker_before_its_first_request(tmp_path):
    """On demand, and then as many as min_instances."""
    site = Site(tmp_path, min_instances=2)
    other = Site(tmp_path, "other", base_uri="/other")
    with serve(tmp_path, site, other) as server:
        app = server.app("probe")
        assert (app["state"], app["workers"], app["queue"]) == ("stopped", [], 0)
        assert server.get("/").status == 200
        wait_for_states(server, "idle", "idle")
        assert server.app("probe")["state"] == "ready"
        assert server.app("other")["state"] == "stopped"
        pool = server.status()["pool"]
        assert pool == {"max_pool_size": 6, "capacity_used": 2, "busy": 0, "queue": 0}


def test_prestart_starts_the_minimum_at_boot(tmp_path):
    """Nobody has to ask first."""
    with serve(tmp_path, Site(tmp_path, prestart=True, min_instances=2)) as server:
        wait_for_states(server, "idle", "idle")
        assert [worker["requests"] for worker in server.workers("probe")] == [0, 0]


def test_a_second_worker_starts_when_the_first_is_busy(tmp_path):
    """And the request that made it start is answered while the first still runs."""
    site = Site(tmp_path)
    with serve(tmp_path, site) as server, held(server, site, "a"):
        assert server.get("/").status == 200
        wait_for_states(server, "busy", "idle")


def test_max_instances_holds_and_the_queue_keeps_its_order(tmp_path):
    """Requests wait, in the order in which they came."""
    site = Site(tmp_path, max_instances=1)
    with serve(tmp_path, site) as server, ThreadPoolExecutor(5) as clients:
        waiting = []
        with held(server, site, "a"):
            for number in range(5):
                waiting.append(clients.submit(server.get, f"/note?text={number}"))
                wait_until(
                    lambda count=number + 1: server.app("probe")["queue"] == count,
                    "the queued request",
                )
            assert states(server) == ["busy"]
        assert [answer.result(30).status for answer in waiting] == [200] * 5
    assert site.notes() == ["begun a", "ended a", "0", "1", "2", "3", "4"]


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
            wait_until(lambda: server.app("second")["queue"] == 1, "the queue")
            assert server.workers("second") == []
        assert answer.result(30).text == "hello from second"


def test_a_full_queue_is_answered_503_at_once(tmp_path):
    """With Retry-After; those in the queue are served."""
    site = Site(tmp_path, max_instances=1, max_queue_size=2)
    with serve(tmp_path, site) as server, ThreadPoolExecutor(2) as clients:
        with held(server, site, "a"):
            queued = [clients.submit(server.get, "/") for _ in range(2)]
            wait_until(lambda: server.app("probe")["queue"] == 2, "a full queue")
            refused = server.get("/note?text=refused")
            assert refused.status == 503
            assert int(refused.headers["Retry-After"]) > 0
        assert [answer.result(30).status for answer in queued] == [200, 200]
        assert "refused" not in site.notes()
        assert server.get("/").status == 200


def test_a_request_that_waits_too_long_is_answered_504(tmp_path):
    """After max_queue_time; the app never sees it."""
    site = Site(tmp_path, max_instances=1, max_queue_time="100ms", prestart=True)
    with serve(tmp_path, site) as server:
        # A start takes longer than that, and would be waited for in vain.
        wait_for_states(server, "idle")
        with held(server, site, "a"):
            assert server.get("/note?text=late").status == 504
        assert server.get("/").status == 200
    assert site.notes() == ["begun a", "ended a"]


def test_idle_workers_above_the_minimum_leave_and_the_minimum_stays(tmp_path):
    """After pool_idle_time; the log says why."""
    site = Site(tmp_path)
    with serve(tmp_path, site, pool_idle_time="300ms") as server:
        with held(server, site, "a", "b", "c"):
            assert len(server.workers("probe")) == 3
        wait_for_states(server, "idle")
        log = server.wait_for_log("was idle for")
        assert "Traceback" not in log
        assert server.get("/").status == 200


def test_a_slow_reader_does_not_hold_a_worker(tmp_path):
    """A big response goes to the controller; its worker serves others meanwhile."""
    size = 20_000_000
    site = Site(tmp_path, max_instances=1)
    with serve(tmp_path, site) as server, server.connect() as slow:
        slow.sendall(
            b"GET /big?size=%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % size
        )
        head = slow.recv(100)
        assert head.startswith(b"HTTP/1.1 200 ")
        # It has taken a hundred bytes, and the only worker is free for others.
        connection = http.client.HTTPConnection("127.0.0.1", server.port, 30)
        for _ in range(20):
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"hello from probe"
        connection.close()
        (worker,) = server.workers("probe")
        assert worker["requests"] >= 21
        received = len(head)
        while piece := slow.recv(1 << 20):
            received += len(piece)
        assert received > size


def test_a_slow_sender_does_not_hold_a_worker(tmp_path):
    """Its body is read whole before one is taken."""
    site = Site(tmp_path, max_instances=1)
    with serve(tmp_path, site) as server, server.connect() as slow:
        slow.sendall(
            b"POST /note?text=slow HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: 10\r\nConnection: close\r\n\r\n12345"
        )
        assert [server.get(f"/note?text={n}").status for n in range(5)] == [200] * 5
        slow.sendall(b"67890")
        assert slow.recv(100).startswith(b"HTTP/1.1 200 ")
    assert site.notes() == ["0", "1", "2", "3", "4", "slow"]


def test_a_client_that_leaves_while_it_waits_never_reaches_the_app(tmp_path):
    """Its request is taken from the queue."""
    site = Site(tmp_path, max_instances=1)
    with serve(tmp_path, site) as server:
        with held(server, site, "a"):
            with server.connect() as client:
                client.sendall(b"GET /note?text=left HTTP/1.1\r\nHost: x\r\n\r\n")
                wait_until(lambda: server.app("probe")["queue"] == 1, "the queue")
            wait_until(lambda: server.app("probe")["queue"] == 0, "an empty queue")
        assert server.get("/note?text=after").status == 200
    assert site.notes() == ["begun a", "ended a", "after"]


def test_a_client_that_leaves_while_its_request_runs_frees_the_worker(tmp_path):
    """The request is finished, its answer goes to nobody, the next one is right."""
    site = Site(tmp_path, max_instances=1)
    with serve(tmp_path, site) as server:
        with server.connect() as client:
            client.sendall(b"GET /wait?gate=a HTTP/1.1\r\nHost: x\r\n\r\n")
            site.wait_for_notes("begun a")
        site.open_gate("a")
        assert server.get("/note?text=after").text == "after"
        (worker,) = server.workers("probe")
        assert worker["requests"] == 2
    assert site.notes() == ["begun a", "ended a", "after"]


def test_an_endless_response_ends_when_its_client_leaves(tmp_path):
    """The worker sees the end and is free again."""
    site = Site(tmp_path, max_instances=1)
    site.write(
        "passenger_wsgi.py",
        "import time\n"
        "def endless():\n"
        "    while True:\n"
        "        yield b'x' * 1000\n"
        "        time.sleep(0.005)\n"
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return endless() if environ['PATH_INFO'] == '/endless' else [b'done']\n",
    )
    with serve(tmp_path, site) as server:
        with server.connect() as client:
            client.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            received = 0
            while received < 10_000:
                received += len(client.recv(65536))
        assert server.get("/").text == "done"


def test_many_clients_at_once_all_get_their_own_answer(tmp_path):
    """Two apps, four workers, sixteen connections: no answer goes astray."""
    sites = [Site(tmp_path, name, base_uri=f"/{name}") for name in ("one", "two")]
    wrong, right = [], []
    with serve(tmp_path, *sites, max_pool_size=4) as server:

        def ask(client):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, 30)
            for number in range(40):
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
        assert (wrong, len(right)) == ([], 16 * 40)
