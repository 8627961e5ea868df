"""Crowds of slow clients: nobody else notices, and each is cut off in the end.

The small storm has clients of our own and short deadlines; ``make storm`` has two
thousand of slowhttptest at a time, and nearly the deadlines that everybody has.
"""

from __future__ import annotations

import csv
import subprocess
import time
from contextlib import ExitStack, contextmanager

import pytest

from benchmarks.load.slow_manners import Manner, SlowClient
from passtwist.testing.waiting import wait_until
from tests.integration.sites import Site, serve
from tests.storms.sizes import LARGE, SIZE

COUNT = 20  # of each manner
# Each of them is slower than the least rate, and would never end.
MANNERS = {
    "head": Manner("GET {prefix}/ HTTP/1.1\r\nHost: {host}\r\nX-Slow: ", drip=1),
    "body": Manner(
        "POST {prefix}/digest HTTP/1.1\r\nHost: {host}\r\n"
        "Content-Length: 100000\r\n\r\n",
        drip=1,
    ),
    "read": Manner(
        "GET {prefix}/big?size=1000000 HTTP/1.1\r\nHost: {host}\r\n\r\n", sip=16
    ),
}
DEADLINES = {
    "header_deadline": "2s",
    "body_grace": "2s",
    "body_read_timeout": "2s",
    "send_timeout": "4s",
}
# Two thousand readers come within 100 s, and are to be there together.
DEFAULTS = {"send_timeout": "120s"}
STEP = 0.05  # seconds


@pytest.fixture
def serve_one(tmp_path):
    """Start a server with one worker and some deadlines."""

    @contextmanager
    def start(deadlines):
        sites = Site(tmp_path, max_instances=1)
        with serve(tmp_path, sites, access_log="off", **deadlines) as running:
            assert running.get("/").status == 200
            yield running

    return start


@pytest.fixture
def server(serve_one):
    with serve_one(DEADLINES) as running:
        yield running


@pytest.fixture
def patient_server(serve_one):
    """With the deadlines that there are by default, nearly."""
    with serve_one(DEFAULTS) as running:
        yield running


class Sampler:
    """Asks for a page and for the status again and again.

    :ivar busy: workers at a request, in each sample.
    :ivar statuses: of the page.
    :ivar cut: connections that were cut off until the last sample.
    """

    def __init__(self, server):
        self._server = server
        self.busy = []
        self.statuses = []
        self.cut = 0

    def take(self):
        try:
            self.statuses.append(self._server.get("/").status)
        except OSError as error:
            self.statuses.append(repr(error))
        page = self._server.status()
        self.busy.append(page["pool"]["busy"])
        self.cut = page["clients"]["counters"]["timed_out"]


def test_slow_clients_keep_nobody_else_from_being_served(server):
    """By any manner: no worker is theirs, and all of them are cut off."""
    address, host = ("127.0.0.1", server.port), f"127.0.0.1:{server.port}"
    sampler = Sampler(server)
    with ExitStack() as stack:
        clients = {name: [] for name in MANNERS}
        for name, manner in MANNERS.items():
            for _ in range(COUNT):
                clients[name].append(SlowClient(manner, address, host, ""))
                stack.callback(clients[name][-1].close)
        slow = [one for some in clients.values() for one in some]

        def step():
            time.sleep(STEP)  # their pace
            for client in slow:
                if not client.ended:
                    client.step()
            sampler.take()

        def go_on(until, what):
            wait_until(lambda: step() or until(), what)

        go_on(lambda: all(client.begun for client in slow), "all to be slow")
        go_on(lambda: sampler.busy[-1] == 0, "the worker to be free")
        assert server.status()["clients"]["connections"] >= len(slow)
        # A reader still has some of its answer when it is cut off, and reads on.
        go_on(lambda: sampler.cut == len(slow), "all to be cut off")
        assert sum(client.finished for client in slow) == 0
    assert set(sampler.statuses) == {200}
    for name in ("head", "body"):
        assert [dict(client.ended) for client in clients[name]] == [
            {"status 408": 1}
        ] * COUNT
    assert server.status()["clients"]["counters"]["refused"] == 2 * COUNT


# What is asked of slowhttptest; the deadlines are the default ones, nearly.
ATTACKS = {
    "head": ("-H -r 500 -i 10 -x 24 -l 70", "/"),
    "body": ("-B -r 500 -i 10 -s 8192 -x 10 -l 60", "/digest"),
    # So large that the kernel does not take it in advance, and as many in a second
    # as one worker can make: the attack is the reading, not the asking.
    "read": ("-X -r 20 -w 512 -y 1024 -n 5 -z 32 -l 300", "/big?size=1200000"),
}


def attack(server, folder, kind):
    """The rows of slowhttptest's report, and what was sampled meanwhile."""
    flags, path = ATTACKS[kind]
    prefix = folder / kind
    command = ["slowhttptest", *flags.split(), "-c", "2000", "-p", "5"]
    url = f"http://127.0.0.1:{server.port}{path}"
    sampler = Sampler(server)
    told = prefix.with_suffix(".out")
    with (
        told.open("wb") as file,
        subprocess.Popen(
            [*command, "-u", url, "-v", "1", "-g", "-o", str(prefix)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        while process.poll() is None:
            sampler.take()
            time.sleep(0.5)  # between two samples
    # It ended before its time, as there was nobody left.
    assert b"No open connections left" in told.read_bytes()
    with prefix.with_suffix(".csv").open() as file:
        return list(csv.DictReader(file)), sampler


if SIZE is LARGE:

    @pytest.mark.debian("slowhttptest")
    @pytest.mark.timeout(SIZE.timeout)
    @pytest.mark.parametrize("kind", ATTACKS)
    def test_two_thousand_slow_clients_are_served_around(
        patient_server, tmp_path, kind
    ):
        """In each sample; and before the attack would have ended, they are cut off."""
        rows, sampler = attack(patient_server, tmp_path, kind)
        assert {row["Service Available"] for row in rows} == {"2000"}
        assert set(sampler.statuses) == {200}
        if kind != "read":
            # It takes a worker to make an answer that is read slowly.
            assert set(sampler.busy) == {0}
        sampler.take()
        assert sampler.cut == 2000
        assert patient_server.status()["clients"]["connections"] == 0
