"""Idle clients, and what is measured of them."""

from __future__ import annotations

import pytest

from benchmarks.load.idle_clients import IdleClients, ask_once, ended
from benchmarks.measures.idle_connections import IdleConnections, take_turns
from benchmarks.servers import Running
from benchmarks.servers.passtwist import Passtwist
from benchmarks.sites import make_site
from passtwist.testing.waiting import wait_until


def test_idle_clients_are_measured_and_stay_until_they_are_told_to_go(tmp_path):
    """A turn has a figure for each column; the last one says who was ended, too."""
    with Running(Passtwist(), make_site("wsgi", tmp_path), 1) as running:
        first, last = take_turns(running, running, 5, rounds=2, seconds=0.2)
        columns = {one.key for one in IdleConnections.columns}
        assert {*first, "ended"} == set(last) == columns
        assert last["ended"] == 0
        with IdleClients(running.url, 3) as idle:
            assert running.get("/")
        assert idle.ended == 0
        clients = ask_once(running.url, 2)
        assert ended(clients) == 0
        with pytest.raises(OSError, match="has not got its answer"):
            ask_once(f"{running.url}/nowhere", 1)
    wait_until(lambda: ended(clients) == 2, "the server to end both")
    for client in clients:
        client.close()
