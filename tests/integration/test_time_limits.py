"""`max_request_time`: a request that takes too long ends, and so does its worker."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from passtwist.testing.waiting import wait_until
from tests.integration.commands import page
from tests.integration.sites import Site, serve

# Ways to take for ever; the probe's own routes are there as well.
ENDLESS = """
import signal, time
from probe_app import application as probe, note, text_answer, wait_for_gate

def in_a_loop(environ, start_response):
    note("begun")
    while True:
        pass

def in_c(environ, start_response):
    note("begun")
    sum(range(10 ** 15))

def deaf(environ, start_response):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note("begun")
    time.sleep(1000)

class Afterwards:
    def __init__(self, pieces):
        self.pieces = pieces

    def __iter__(self):
        return iter(self.pieces)

    def close(self):
        note("afterwards")
        wait_for_gate("afterwards")

def afterwards(environ, start_response):
    return Afterwards(text_answer(start_response, "first"))

WAYS = {one.__name__: one for one in (in_a_loop, in_c, deaf, afterwards)}

def application(environ, start_response):
    found = WAYS.get(environ["PATH_INFO"].rpartition("/")[2], probe)
    return found(environ, start_response)
"""


def endless_site(parent, limit="500ms", **keys):
    """An app that does not come to an end, as its path says."""
    site = Site(parent, max_request_time=limit, **keys)
    (site.root / "passenger_wsgi.py").rename(site.root / "probe_app.py")
    site.write("passenger_wsgi.py", ENDLESS)
    return site


def wait_for_end_of(pid):
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), f"the end of {pid}")


def busy_worker(server):
    (worker,) = server.workers("probe", "busy")
    return worker["pid"]


def test_a_request_that_takes_too_long_is_answered_504_and_its_worker_ended(tmp_path):
    """Whatever it is at; the log says where, and other workers serve."""
    ways = ("in_a_loop", "in_c", "deaf")
    sites = [endless_site(tmp_path, name=way, base_uri=f"/{way}") for way in ways]
    with serve(tmp_path, *sites) as server, ThreadPoolExecutor(3) as clients:
        answers = [
            clients.submit(server.request, "POST", f"/{way}/{way}?a", b"order")
            for way in ways
        ]
        pids = []
        for site in sites:
            site.wait_for_notes("begun")
            (worker,) = server.workers(site.name, "busy")
            pids.append(worker["pid"])
        assert [answer.result(30).status for answer in answers] == [504] * 3
        for site, pid, way in zip(sites, pids, ways, strict=True):
            what = rf"app {way}: POST /{way}/{way}\?a runs for \d+\.\d s"
            ended = (
                r"\(max_request_time\), request [0-9a-f]+-[0-9a-f]+; "
                rf"worker {pid} is ended; it is here:\n"
            )
            frame = rf'File "{site.root}/passenger_wsgi.py", line \d+ in {way}\n'
            for text in (rf"{what} {ended}", frame):
                wait_until(lambda text=text: re.search(text, server.log()), text)
            assert server.get(f"/{way}/pid").text != str(pid)
        for site, pid in zip(sites, pids, strict=True):
            wait_for_end_of(pid)
            killed = f"worker {pid} of {site.name} was killed by signal SIGKILL (9)\n"
            server.wait_for_log(killed)
            assert site.notes() == ["begun"]


def test_once_its_head_was_sent_the_connection_is_cut(tmp_path):
    """The client can't take what it got for the whole."""
    site = endless_site(tmp_path)
    site.open_gate("0")
    with serve(tmp_path, site) as server, server.connect() as client:
        client.sendall(b"GET /stream?pieces=2 HTTP/1.1\r\nHost: a\r\n\r\n")
        got = b""
        with pytest.raises(ConnectionResetError):
            while piece := client.recv(65536):
                got += piece
        assert got.endswith(b"\r\nhpiece 0\n\r\n") or b"piece 0\n" in got
        assert b"\r\n0\r\n\r\n" not in got
        server.wait_for_log("wait_for_gate")
        site.open_gate("1")


def test_a_late_answer_reaches_nobody(tmp_path):
    """Not the next request of that client either; the worker is not used again."""
    site = endless_site(tmp_path)
    with serve(tmp_path, site) as server, server.connect() as client:
        client.sendall(b"GET /wait?gate=a HTTP/1.1\r\nHost: a\r\n\r\n")
        site.wait_for_notes("begun a")
        pid = busy_worker(server)
        assert client.recv(65536).startswith(b"HTTP/1.1 504 ")
        site.open_gate("a")
        site.wait_for_notes("ended a")
        client.sendall(b"GET /pid HTTP/1.1\r\nHost: a\r\n\r\n")
        head, _, body = client.recv(65536).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert body.isdigit()
        assert int(body) != pid
        wait_for_end_of(pid)
        # It left by itself, as it was asked to.
        server.wait_for_log(f"worker {pid} of probe exited with status 0")


def test_the_other_requests_of_that_worker_may_end(tmp_path):
    """If they do so in time: the worker is asked to leave before it is killed."""
    site = endless_site(tmp_path, "3s", threads=2, max_instances=1)
    with serve(tmp_path, site) as server, ThreadPoolExecutor(2) as clients:
        slow = clients.submit(server.get, "/wait?gate=never")
        site.wait_for_notes("begun never")

        def has_run_for_long():
            (one,) = page(server, "requests")["requests"]
            return one["runs_s"] > 1.5

        wait_until(has_run_for_long, "the first to be half through")
        other = clients.submit(server.get, "/wait?gate=b")
        site.wait_for_notes("begun b")
        pid = busy_worker(server)
        assert slow.result(30).status == 504
        site.open_gate("b")
        assert (other.result(30).status, other.result().text) == (200, "b")
        site.open_gate("never")
        assert server.get("/pid").text != str(pid)
        wait_for_end_of(pid)


def test_a_request_whose_client_has_left_is_ended_too(tmp_path):
    """The worker is as lost for others as if somebody waited."""
    site = endless_site(tmp_path, max_instances=1)
    with serve(tmp_path, site) as server:
        with server.connect() as client:
            client.sendall(b"GET /wait?gate=a HTTP/1.1\r\nHost: a\r\n\r\n")
            site.wait_for_notes("begun a")
            pid = busy_worker(server)
        server.wait_for_log("app probe: GET /wait?gate=a runs for ")
        site.open_gate("a")
        wait_for_end_of(pid)
        assert server.get("/").status == 200


def test_a_request_that_was_not_begun_is_given_to_another_worker(tmp_path):
    """It waited behind work that an app does after its response; it runs once."""
    site = endless_site(tmp_path, max_instances=1)
    with serve(tmp_path, site) as server:
        assert server.get("/afterwards").text == "first"
        site.wait_for_notes("afterwards")
        assert server.request("POST", "/note?text=once", b"order").status == 200
        assert site.notes() == ["afterwards", "once"]
        server.wait_for_log("app probe: a request was not begun for ")
        assert " in wait_for_gate\n" in server.log()


def test_workers_whose_requests_end_in_time_are_left_alone(tmp_path):
    """Each request has the whole of the time, however many came before."""
    site = endless_site(tmp_path, "1s", max_instances=1)
    with serve(tmp_path, site) as server:
        pid = server.get("/pid").text
        wait_until(
            lambda: (
                server.get("/pid").text == pid
                and server.app("probe")["workers"]
                and server.workers("probe")[0]["uptime_s"] > 2.5
            ),
            "the worker to be older than two limits",
        )
        assert server.get("/pid").text == pid
        assert "max_request_time" not in server.log()
