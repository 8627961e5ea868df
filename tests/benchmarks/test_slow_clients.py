"""Clients that are slow on purpose, against a server that waits for them."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks.load.open_loop import Kind, Plan, put_on
from benchmarks.load.slow_clients import SlowClients, crowd
from benchmarks.load.slow_manners import MANNERS, UPLOAD
from tests.benchmarks.peculiar_server import PeculiarServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.load.slow_manners import SlowClient

PATIENCE = 30.0


@pytest.fixture
def server() -> Iterator[PeculiarServer]:
    with PeculiarServer() as running:
        yield running


def one(url: str, kind: str, **changes: int) -> SlowClient:
    return crowd(url, replace(MANNERS[kind], **changes), 1)[0]


def step_until(client: SlowClient, condition: Callable[[], bool]) -> None:
    """Steps wait for nothing, so that it is slow in bytes only."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        client.step()
    client.close()


def test_a_slow_head_goes_on_and_is_no_request_yet(server):
    client = one(server.url, "head")
    step_until(client, lambda: client.dripped >= 20)
    assert (server.heads, client.finished, client.ended) == ([], 0, {})


def test_a_slow_upload_arrives_bit_by_bit_and_never_exceeds_its_size(server):
    client = one(server.url, "upload", drip=UPLOAD // 3)
    step_until(client, lambda: server.bodies["/upload"] >= UPLOAD)
    assert server.bodies["/upload"] == UPLOAD
    assert server.heads == ["POST /upload HTTP/1.1"]


def test_a_slow_reader_reads_all_of_it_in_the_end_and_begins_again(server):
    client = one(server.url, "reader", sip=65536)
    step_until(client, lambda: client.finished == 2)
    assert set(server.heads) == {"GET /mebibyte HTTP/1.1"}
    assert (server.connections, client.ended) == (2, {})


def test_whom_the_server_ends_is_counted_and_comes_again(server):
    client = one(f"{server.url}/refused", "reader")
    step_until(client, lambda: client.ended["status 503"] == 3)
    assert client.finished == 0


def test_whom_nobody_listens_to_is_counted():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        client = one(f"http://127.0.0.1:{nobody.getsockname()[1]}", "head")
        step_until(client, lambda: client.ended.total() == 2)
    assert set(client.ended) == {"connection refused"}


@pytest.mark.parametrize("kind", MANNERS)
def test_slow_clients_are_there_while_others_are_served(server, kind):
    """A process of their own; it is gone after the block."""
    with SlowClients(server.url, kind, 5) as slow:
        fast = put_on(Plan(server.url, [Kind("fast", "/")], 0.1, 100, constant=True))
    assert (fast.kinds["fast"].answered, slow.ended) == (10, {})
    assert server.connections == 5 + fast.connections
    assert slow.process.poll() == 0
