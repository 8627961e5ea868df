"""`passtwist requests`, and clients that leave, at every stage of a request."""

from __future__ import annotations

import hashlib
import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from passtwist.testing.waiting import wait_until
from tests.integration.commands import output, page
from tests.integration.sites import Site, serve

# Loads as soon as the gate is open, and then is the probe.
GATED = """
import os, time
gate = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gate-load")
while not os.path.exists(gate):
    time.sleep(0.005)
from probe_app import application
"""


def gated_site(parent, **keys):
    """The probe, which can be held while it is loaded."""
    site = Site(parent, max_instances=1, **keys)
    (site.root / "passenger_wsgi.py").rename(site.root / "probe_app.py")
    site.write("passenger_wsgi.py", GATED)
    return site


@contextmanager
def asking(server, *paths):
    """A client for each path, which has asked and reads nothing."""
    clients = []
    try:
        for path in paths:
            clients.append(server.connect())
            clients[-1].sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        yield clients
    finally:
        for client in clients:
            client.close()


def states(server):
    """State and path of each request, in the order in which they are shown."""
    return [(one["state"], one["path"]) for one in page(server, "requests")["requests"]]


def wait_for(server, *expected):
    """Wait until the requests are these; they are shown the oldest first."""
    wait_until(lambda: states(server) == list(expected), f"{expected}")


def only_worker(server, *in_states):
    """The pid of the only worker, once it is in that state."""

    def found():
        workers = server.workers("probe")
        fits = len(workers) == 1 and workers[0]["state"] in in_states
        return workers[0]["pid"] if fits else None

    return wait_until(found, f"a worker that is {in_states}")


def ok(client):
    """Whether its answer begins as it should."""
    return client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_requests_are_shown_the_oldest_first_with_what_they_wait_for(tmp_path):
    """Those in a worker and those in the queue; none when all are answered."""
    site = Site(tmp_path, max_instances=1)
    with serve(tmp_path, site) as server:
        assert output(server, "requests") == "no requests\n"
        paths = ("/wait?gate=a", "/note?text=1", "/note?text=2")
        with asking(server, paths[0]) as (first,):
            site.wait_for_notes("begun a")
            with asking(server, *paths[1:]) as rest:
                states_of = ("running", "queued", "queued")
                wait_for(server, *zip(states_of, paths, strict=True))
                pid = only_worker(server, "busy")
                found = page(server, "requests")["requests"]
                assert [one["pid"] for one in found] == [pid, 0, 0]
                assert [one["attempts"] for one in found] == [1, 0, 0]
                assert {one["app"] for one in found} == {"probe"}
                assert {one["method"] for one in found} == {"GET"}
                numbers = [one["number"] for one in found]
                assert numbers == sorted(set(numbers))
                for one in found:
                    assert one["age_s"] >= one["waited_s"] >= 0
                    assert (one["runs_s"] is None) == (one["state"] == "queued")
                site.open_gate("a")
                assert all(map(ok, [first, *rest]))
        wait_for(server)


def test_requests_for_people(tmp_path):
    """A table; the columns say what is a wait and what is work."""
    site = Site(tmp_path, max_instances=1)
    with serve(tmp_path, site) as server, asking(server, "/wait?gate=a") as (client,):
        site.wait_for_notes("begun a")
        head, row = output(server, "requests").splitlines()
        assert head.split() == [
            *("APP", "PID", "STATE", "AGE", "WAITED", "RUNS", "METHOD", "PATH")
        ]
        pid, seconds = only_worker(server, "busy"), r"\d+(?:\.\d)? m?s"
        cells = rf"probe {pid} running (?:{seconds} ){{3}}GET /wait\?gate=a"
        assert re.fullmatch(cells, " ".join(row.split()))
        site.open_gate("a")
        assert ok(client)


def test_a_request_that_is_being_answered_says_so(tmp_path):
    """Its head has come; and one whose client has left meanwhile."""
    site = Site(tmp_path, max_instances=1)
    with serve(tmp_path, site) as server:
        with asking(server, "/stream?pieces=2") as (client,):
            site.open_gate("0")
            assert client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
            wait_for(server, ("responding", "/stream?pieces=2"))
        with asking(server, "/note?text=next") as (client,):
            wait_for(
                server, ("abandoned", "/stream?pieces=2"), ("queued", "/note?text=next")
            )
            site.open_gate("1")
            assert ok(client)


def test_a_request_that_its_worker_has_not_begun_says_so(tmp_path):
    """The worker is stopped; when it goes on it is running."""
    site = Site(tmp_path, max_instances=1)
    with serve(tmp_path, site) as server:
        assert server.get("/").status == 200
        pid = only_worker(server, "idle")
        os.kill(pid, signal.SIGSTOP)
        with asking(server, "/wait?gate=a") as (client,):
            wait_for(server, ("sent", "/wait?gate=a"))
            os.kill(pid, signal.SIGCONT)
            wait_for(server, ("running", "/wait?gate=a"))
            site.open_gate("a")
            assert ok(client)


def test_a_request_whose_worker_was_gone_before_it_began_is_retried(tmp_path):
    """It waits again, for another worker, and is answered by that."""
    site = gated_site(tmp_path, spawn_method="conservative")
    site.open_gate("load")
    with serve(tmp_path, site) as server:
        assert server.get("/").status == 200
        pid = only_worker(server, "idle")
        (site.root / "gate-load").unlink()
        os.kill(pid, signal.SIGSTOP)
        with asking(server, "/note?text=once") as (client,):
            wait_for(server, ("sent", "/note?text=once"))
            os.kill(pid, signal.SIGKILL)
            wait_for(server, ("retrying", "/note?text=once"))
            (one,) = page(server, "requests")["requests"]
            assert (one["pid"], one["attempts"], one["runs_s"]) == (0, 1, None)
            site.open_gate("load")
            assert ok(client)
        assert site.notes() == ["once"]


def test_a_large_body_is_whole_for_the_worker_that_gets_it_next(tmp_path):
    """It is in a file, of which the first worker was given a descriptor."""
    site = Site(tmp_path, max_instances=1)
    body = os.urandom(300_000)
    expected = f"{len(body)} {hashlib.sha256(body).hexdigest()}"
    with serve(tmp_path, site) as server, ThreadPoolExecutor(1) as client:
        assert server.get("/").status == 200
        pid = only_worker(server, "idle")
        os.kill(pid, signal.SIGSTOP)
        answer = client.submit(server.request, "POST", "/digest", body)
        wait_for(server, ("sent", "/digest"))
        os.kill(pid, signal.SIGKILL)
        assert (answer.result(30).status, answer.result().text) == (200, expected)


# --- clients that leave ---------------------------------------------------------


def test_a_client_that_leaves_the_queue_is_never_served(tmp_path):
    """The one behind it is."""
    site = Site(tmp_path, max_instances=1)
    with serve(tmp_path, site) as server, asking(server, "/wait?gate=a") as (first,):
        site.wait_for_notes("begun a")
        with asking(server, "/note?text=left", "/note?text=stayed") as (left, stayed):
            wait_until(lambda: len(states(server)) == 3, "all three")
            left.close()
            wait_for(
                server, ("running", "/wait?gate=a"), ("queued", "/note?text=stayed")
            )
            site.open_gate("a")
            assert ok(first)
            assert ok(stayed)
        assert site.notes() == ["begun a", "ended a", "stayed"]


@pytest.mark.parametrize("method", ["conservative", "smart-lv2"])
def test_a_client_that_leaves_while_the_first_worker_starts_is_never_served(
    tmp_path, method
):
    """The worker starts all the same, for the next."""
    site = gated_site(tmp_path, spawn_method=method)
    with serve(tmp_path, site) as server:
        with asking(server, "/note?text=left"):
            wait_for(server, ("queued", "/note?text=left"))
        wait_for(server)
        site.open_gate("load")
        only_worker(server, "idle")
        assert server.get("/note?text=next").status == 200
        assert site.notes() == ["next"]


def test_a_client_that_leaves_while_its_request_is_retried_is_never_served(tmp_path):
    """No other worker gets it."""
    site = gated_site(tmp_path, spawn_method="conservative")
    site.open_gate("load")
    with serve(tmp_path, site) as server:
        assert server.get("/").status == 200
        pid = only_worker(server, "idle")
        (site.root / "gate-load").unlink()
        os.kill(pid, signal.SIGSTOP)
        with asking(server, "/note?text=left"):
            wait_for(server, ("sent", "/note?text=left"))
            os.kill(pid, signal.SIGKILL)
            wait_for(server, ("retrying", "/note?text=left"))
        wait_for(server)
        site.open_gate("load")
        assert server.get("/note?text=next").status == 200
        assert site.notes() == ["next"]


def test_a_client_that_leaves_before_its_worker_dies_is_not_retried(tmp_path):
    """What was sent and not begun is begun by nobody."""
    site = Site(tmp_path, max_instances=1)
    with serve(tmp_path, site) as server:
        assert server.get("/").status == 200
        pid = only_worker(server, "idle")
        os.kill(pid, signal.SIGSTOP)
        with asking(server, "/note?text=left"):
            wait_for(server, ("sent", "/note?text=left"))
        wait_for(server, ("abandoned", "/note?text=left"))
        os.kill(pid, signal.SIGKILL)
        assert server.get("/note?text=next").status == 200
        assert site.notes() == ["next"]
