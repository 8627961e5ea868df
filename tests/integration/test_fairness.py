"""More busy apps than places: everybody has its turn."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from passtwist.pool.limits import PoolLimits
from passtwist.testing.waiting import wait_until
from tests.integration.sites import Site, serve

NAMES = ("one", "two", "three")


@pytest.fixture
def sites(tmp_path):
    """Three apps by name."""
    return {name: Site(tmp_path, name, base_uri=f"/{name}") for name in NAMES}


@pytest.fixture
def server(tmp_path, sites):
    """Two places for the three."""
    with serve(tmp_path, *sites.values(), max_pool_size=2) as running:
        yield running


def wait_for_a_turn(server):
    """So long as who has a place may keep it against somebody who has none."""
    begin = server.status()["uptime_s"]
    wait_until(
        lambda: server.status()["uptime_s"] - begin > PoolLimits().fair_turn,
        "a turn to be over",
    )


def test_who_has_no_place_waits_for_one_request_of_the_others_and_not_for_all(
    server, sites
):
    """Three apps, two places: one after the other, though the others have more to do.

    Each request runs until the test lets it, so that only the pool's decisions
    say who comes next.
    """
    one, two, three = sites.values()
    with ThreadPoolExecutor(5) as clients:
        answers = []

        def ask(site, gate):
            path = f"/{site.name}/wait?gate={gate}"
            answers.append(clients.submit(server.get, path))

        def ask_in_vain(site, gate):
            ask(site, gate)
            wait_until(lambda: server.app(site.name)["queue"] == 1, "it to wait")

        for site in (one, two):
            ask(site, "first")
            site.wait_for_notes("begun first")
        for site in (one, two):
            ask_in_vain(site, "second")
        ask_in_vain(three, "first")

        wait_for_a_turn(server)
        one.open_gate("first")
        three.wait_for_notes("begun first")
        assert one.notes() == ["begun first", "ended first"]

        wait_for_a_turn(server)
        two.open_gate("first")
        one.wait_for_notes("begun second")
        assert two.notes() == ["begun first", "ended first"]

        three.open_gate("first")
        two.wait_for_notes("begun second")
        for site in (one, two):
            site.open_gate("second")
        texts = [answer.result(30).text for answer in answers]
    assert texts == ["first", "first", "second", "second", "first"]


def test_all_are_served_under_a_load_that_never_pauses(server):
    """Two clients for each of three apps; all three come round twice at least."""
    served, failed = Counter(), []
    turns = {name: set() for name in NAMES}
    enough = threading.Event()

    def ask(name):
        while not enough.is_set():
            answer = server.get(f"/{name}/pid")
            if answer.status == 200:
                served[name] += 1
                turns[name].add(answer.text)
            else:
                failed.append((name, answer))

    clients = [threading.Thread(target=ask, args=(name,)) for name in NAMES * 2]
    for client in clients:
        client.start()
    try:
        # Another process is another turn: in between, somebody else had the place.
        wait_until(lambda: all(len(pids) > 1 for pids in turns.values()), "all turns")
    finally:
        enough.set()
        for client in clients:
            client.join()
    assert failed == []
    assert min(served.values()) > 1
