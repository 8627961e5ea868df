"""Two forked workers and a database that notices what they share."""

from __future__ import annotations

import contextlib

import pytest

from passtwist.testing.waiting import wait_until
from tests.integration.interleaving import running_database
from tests.integration.sites import Site, serve

# It connects when it is imported, as many apps do.
APP = """
import os, socket, sys, time

def connect():
    global connection
    connection = socket.create_connection(("127.0.0.1", int(os.environ["DATABASE"])))

def say(part):
    connection.sendall(b"%d %s\\n" % (os.getpid(), part))

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    say(b"first")
    gate = environ["PATH_INFO"].strip("/")
    while gate and not os.path.exists("gate-" + gate):
        time.sleep(0.01)
    say(b"second")
    return [b"%d answered as %s" % (os.getpid(), connection.recv(100).strip())]

connect()
"""
REOPENS = """
from passtwist.lifecycle import on

on("before_fork")(lambda: connection.close())
on("after_fork")(connect)
"""


@contextlib.contextmanager
def asked_by_two(site, folder):
    """A server with a worker in the middle of a question, and the database.

    The next request needs a second worker.
    """
    with running_database() as database:
        site.keys["env"] = {"DATABASE": str(database.port)}
        with serve(folder, site) as server:
            first = server.connect()
            try:
                first.sendall(
                    b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                )
                wait_until(lambda: database.heard, "the first worker's question")
                yield server, first, database
            finally:
                first.close()


def ask_between(site, server, first):
    """A whole request of the second worker in the middle of the first's."""
    second = server.get("/").text
    site.open_gate("a")
    with first.makefile("rb") as answer:
        return answer.read().decode().rpartition("\r\n\r\n")[2], second


def make_site(folder, source, **keys):
    site = Site(folder, spawn_method="smart-lv2", max_instances=2, **keys)
    site.write("passenger_wsgi.py", source)
    return site


def test_workers_that_connect_after_the_fork_share_no_connection(tmp_path):
    """Each has its own; the spawner's was closed before; nothing is interleaved."""
    site = make_site(tmp_path, APP + REOPENS)
    with asked_by_two(site, tmp_path) as (server, first, database):
        answers = ask_between(site, server, first)
        workers = {worker["pid"] for worker in server.workers("probe")}
        methods = {worker["spawn_method"] for worker in server.workers("probe")}
    assert methods == {"smart-lv2"}
    assert {int(answer.split()[0]) for answer in answers} == workers
    assert [answer.split()[-1] for answer in answers] == [
        answer.split()[0] for answer in answers
    ]
    assert (len(workers), database.interleaved) == (2, [])
    spawner, *forked = database.users
    assert spawner == set()
    assert sorted(map(tuple, forked)) == sorted((pid,) for pid in workers)


def test_an_app_that_would_share_its_connection_is_not_forked(tmp_path):
    """The audit names the connection; a developer's page, too; nobody has used it."""
    site = make_site(tmp_path, APP, environment="development")
    with running_database() as database:
        site.keys["env"] = {"DATABASE": str(database.port)}
        with serve(tmp_path, site) as server:
            page = server.get("/")
            error = server.app("probe")["last_spawn_error"]
            assert server.workers("probe") == []
    assert page.status == 500
    assert "The application can’t be forked safely" in page.text
    for told in (error, page.text):
        assert f"socket:127.0.0.1:{database.port}" in told
    assert set(map(tuple, database.users)) == {()}


def test_workers_that_share_a_connection_are_noticed(tmp_path):
    """What the audit protects from, when it is told to look away."""
    site = make_site(tmp_path, APP, fork_allow=["socket:127.0.0.1:*"])
    with asked_by_two(site, tmp_path) as (server, first, database):
        ask_between(site, server, first)
        workers = {worker["pid"] for worker in server.workers("probe")}
    assert database.users == [workers]
    assert [set(pair) for pair in database.interleaved] == [workers]


@pytest.mark.parametrize("method", ["conservative", "smart-lv2"])
def test_a_connection_opened_when_a_worker_starts_suits_every_way_of_spawning(
    tmp_path, method
):
    """worker_started comes in every worker, after_fork only in forked ones."""
    starts = APP.replace("\nconnect()\n", "") + (
        "\nfrom passtwist.lifecycle import on\non('worker_started')(connect)\n"
    )
    site = make_site(tmp_path, starts)
    site.keys["spawn_method"] = method
    with asked_by_two(site, tmp_path) as (server, first, database):
        answers = ask_between(site, server, first)
    pids = [answer.split()[0] for answer in answers]
    assert [answer.split()[-1] for answer in answers] == pids
    assert sorted(map(tuple, database.users)) == sorted((int(pid),) for pid in pids)
