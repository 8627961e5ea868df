"""Apps that fork while they answer: only the worker speaks for the worker."""

from __future__ import annotations

import http.client
from contextlib import closing

import pytest

from passtwist.testing.waiting import wait_until
from tests.integration.sites import Site, serve

APP = """
import multiprocessing, os, sys, time

FORKING = multiprocessing.get_context("fork")


def answer(start_response, text):
    body = text.encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def raises(start_response):
    raise ValueError("in the copy")


COPIES = {
    "returns": lambda start_response: answer(start_response, "copy"),
    "raises": raises,
    "exits": lambda start_response: sys.exit(3),
    "exits-well": lambda start_response: sys.exit(),
}


def application(environ, start_response):
    kind, _, text = environ["PATH_INFO"][1:].partition("/")
    if kind in COPIES:
        pid = os.fork()
        if not pid:
            return COPIES[kind](start_response)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return answer(start_response, "worker %d" % status)
    if kind == "terminate":
        process = FORKING.Process(target=time.sleep, args=(60,))
        process.start()
        process.terminate()
        process.join(30)
        return answer(start_response, "%s" % process.exitcode)
    return answer(start_response, "%d %s" % (os.getpid(), text))
"""

STATUSES = {"returns": 0, "raises": 1, "exits": 3, "exits-well": 0}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", STATUSES)
def test_a_process_that_the_app_has_forked_neither_answers_nor_reads_requests(
    tmp_path, kind, threads
):
    """It ends with its own status; each client gets what it asked the worker for."""
    site = Site(tmp_path, threads=threads, max_instances=1)
    site.write("passenger_wsgi.py", APP)
    with (
        serve(tmp_path, site) as server,
        closing(http.client.HTTPConnection("127.0.0.1", server.port, 30)) as client,
    ):
        answers = []
        (worker,) = {ask(client, "/who/").split()[0] for _ in range(2)}
        for number in range(5):
            answers += [ask(client, f"/{kind}"), ask(client, f"/who/{number}")]
        expected = [[f"worker {STATUSES[kind]}", f"{worker} {n}"] for n in range(5)]
        assert answers == [text for pair in expected for text in pair]
        assert [one["pid"] for one in server.workers("probe")] == [int(worker)]
        wait_until(lambda: len(server.processes()) <= 3, "the copies to end")


def test_a_process_that_the_app_has_forked_can_be_terminated(tmp_path):
    """Also at once, and though the worker itself only ends its loop then."""
    site = Site(tmp_path)
    site.write("passenger_wsgi.py", APP)
    with serve(tmp_path, site) as server:
        assert server.get("/terminate").text == "-15"


@pytest.mark.parametrize("method", ["conservative", "smart-lv2"])
@pytest.mark.parametrize("end", ["sys.exit(0)", "raise ValueError", "pass"])
def test_a_process_forked_at_import_is_no_second_worker(tmp_path, method, end):
    """However it ends, the app is loaded once, by the process that forked."""
    site = Site(tmp_path, spawn_method=method, max_instances=1)
    forks = f"""
import os, sys
pid = os.fork()
if not pid:
    {end}
else:
    os.waitpid(pid, 0)
"""
    site.write("passenger_wsgi.py", forks + APP)
    with serve(tmp_path, site) as server:
        assert server.get("/who/x").text.split()[1] == "x"
        assert server.app("probe")["last_spawn_error"] is None
        (worker,) = server.workers("probe")
        assert worker["spawn_method"] == method


def ask(client, path):
    client.request("GET", path)
    return client.getresponse().read().decode()
