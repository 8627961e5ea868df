"""More clients than there is room for, and fewer descriptors than are needed."""

from __future__ import annotations

import http.client
import os
import resource
from contextlib import ExitStack, contextmanager

import pytest

from passtwist.testing.waiting import wait_until
from tests.integration.sites import Site, serve

MOST = 40
GIVEN = 1000  # descriptors that the server is started with


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crowds")
    folder.chmod(0o711)
    sites = [
        Site(folder, max_instances=1),
        Site(folder, name="late", base_uri="/late", max_instances=1),
    ]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (GIVEN, hard))
    try:
        running = serve(folder, *sites, max_connections=MOST).start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with ExitStack() as stack:
        stack.push(running.__exit__)
        yield running


class Keeper:
    """A client that keeps its connection."""

    def __init__(self, server):
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, 20)

    def ask(self, path="/", body=None):
        self._connection.request("POST" if body else "GET", path, body)
        response = self._connection.getresponse()
        response.read()
        return response.status

    def close(self):
        self._connection.close()


@contextmanager
def keepers(server, count):
    """So many clients, each of which has been answered."""
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            found.append(Keeper(server))
            stack.callback(found[-1].close)
            assert found[-1].ask() == 200
        yield found


@contextmanager
def descriptors(server, spare):
    """The controller may open so many more than it has."""
    pid = server.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    numbers = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    free = [number for number in range(10_000) if number not in numbers]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free[spare], before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def clients(server):
    return server.status()["clients"]


def test_the_server_takes_all_descriptors_it_may_have_and_its_apps_do_not(server):
    """A program that uses select(2) breaks with more than 1024 of them."""
    assert server.get("/").status == 200
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    pids = {worker["pid"] for worker in server.workers("probe")}
    pids.add(server.status()["spawn_server"]["pid"])
    found = {resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in pids}
    assert found == {(GIVEN, hard)}
    own = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    assert own == (hard, hard)


def test_idle_clients_give_way_to_those_who_come(server):
    """No more than `max_connections` are there, and each newcomer is served."""
    before = clients(server)["counters"]["gave_way"]
    with keepers(server, MOST + 20) as found:
        page = clients(server)
        assert page["max_connections"] == MOST
        assert page["connections"] <= MOST
        assert page["counters"]["gave_way"] - before >= 20
        assert not page["full"]
        assert found[-1].ask() == 200


def test_without_descriptors_idle_clients_give_way(server):
    """Before it comes to that: the last ones are for what requests need."""
    # The numbers of those who were there before have to be free again.
    wait_until(lambda: clients(server)["connections"] == 0, "all to have left")
    with keepers(server, 10), descriptors(server, spare=25):
        before = clients(server)["counters"]["gave_way"]
        with keepers(server, 20) as others:
            assert clients(server)["counters"]["gave_way"] > before
            # In memory, and in a file.
            assert others[-1].ask("/digest", b"x") == 200
            assert others[-1].ask("/digest", os.urandom(100_000)) == 200
    assert server.get("/").status == 200


def test_a_request_that_finds_no_descriptor_is_answered(server):
    """Neither its file nor its worker can be had: an error, and all goes on."""
    with keepers(server, 1) as (keeper,):
        assert keeper.ask("/digest", os.urandom(100_000)) == 200
        with descriptors(server, spare=0):
            statuses = [
                keeper.ask("/digest", os.urandom(100_000)),
                keeper.ask("/late/"),
            ]
        assert statuses[0] == 503
        assert statuses[1] in (500, 503)
        wait_until(lambda: server.get("/late/").status == 200, "the late app to serve")
        assert server.get("/").status == 200
