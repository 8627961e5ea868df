"""The load generator, with real sockets, against servers with known faults."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from benchmarks.load.open_loop import Kind, Plan, arguments, put_on
from benchmarks.load.open_loop_driver import drive
from benchmarks.load.open_loop_schedule import schedule
from tests.benchmarks.peculiar_server import STALL, PeculiarServer

if TYPE_CHECKING:
    from collections.abc import Iterator

HELLO = Kind("hello", "/", length=12)


@pytest.fixture
def server() -> Iterator[PeculiarServer]:
    with PeculiarServer() as running:
        yield running


def test_latency_counts_from_the_intended_time_also_without_a_free_connection(server):
    """A stall meets every request that is due in it, not only those on their way.

    Half of them are due in its first half and so have to wait for the other
    half at least; but only two were sent by then.
    """
    stalling = Kind("all", "/stall")
    found = drive(
        Plan(server.url, [stalling], STALL, 200, connections=2, constant=True)
    )
    half = server.stalled / 2 * 1e3
    all_of_them = found.kinds["all"]
    assert (all_of_them.count, all_of_them.errors) == (60, 0)
    assert all_of_them.latency.p50 >= half
    assert all_of_them.service.p50 < half
    assert server.most_at_once == 2


def test_kinds_are_counted_apart_and_made_in_the_order_of_the_seed(server):
    kinds = [Kind("fast", "/", 9, 12), Kind("chunked", "/chunked", 1, 2)]
    plan = Plan(server.url, kinds, 0.2, 200, connections=1, seed=5)
    found = drive(plan)
    due = [kinds[kind].path for _, kind in schedule(kinds, 200, 0.2, 5)]
    assert server.heads == [f"GET {path} HTTP/1.1" for path in due]
    assert {name: one.answered for name, one in found.kinds.items()} == {
        "fast": due.count("/"),
        "chunked": due.count("/chunked"),
    }
    assert len(due) == sum(one.count for one in found.kinds.values())


def test_a_closed_loop_keeps_its_connections(server):
    found = drive(Plan(server.url, [HELLO], 0.1, connections=4))
    assert found.connections == server.connections == server.most_at_once == 4
    hello = found.kinds["hello"]
    assert hello.answered == hello.count == len(server.heads) >= 4
    assert hello.errors == 0


@pytest.mark.parametrize("path", ["/close", "/until-close"])
def test_a_connection_that_the_server_closes_is_opened_again(server, path):
    found = drive(
        Plan(server.url, [Kind("all", path, length=2)], 0.1, 100, constant=True)
    )
    assert (found.kinds["all"].answered, found.kinds["all"].reasons) == (10, {})
    assert found.connections == server.connections == 10


def test_a_request_that_finds_its_connection_closed_is_made_again(server):
    """As clients do when the server ends an idle connection just then."""
    plan = Plan(
        server.url, [Kind("all", "/once")], 0.1, 100, connections=1, constant=True
    )
    found = drive(plan).kinds["all"]
    assert (found.count, found.answered, found.reasons) == (10, 10, {})
    # Of each connection the second one but of the last.
    assert found.retried == server.connections - 1


@pytest.mark.parametrize(
    ("path", "length", "reason"),
    [
        ("/refused", -1, "status 503"),
        ("/short", -1, "the connection ended before the answer"),
        ("/noise", -1, "bad answer: begins with b'hello world'"),
        ("/", 13, "12 bytes instead of 13"),
    ],
    ids=["status", "short", "noise", "length"],
)
def test_errors_are_counted_by_their_reason(server, path, length, reason):
    plan = Plan(server.url, [Kind("all", path, 1, length)], 0.1, 100, constant=True)
    found = drive(plan).kinds["all"]
    assert (found.count, found.answered, found.reasons) == (10, 0, {reason: 10})
    assert found.latency.p50 == plan.patience * 1e3


def test_a_server_that_is_not_there_is_an_error_of_each_request():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        open_loop = drive(Plan(url, [HELLO], 0.1, 100, constant=True)).kinds["hello"]
        closed_loop = drive(Plan(url, [HELLO], 0.05, connections=2)).kinds["hello"]
    assert open_loop.reasons == {"connect: Connection refused": 10}
    assert set(closed_loop.reasons) == {"connect: Connection refused"}


def test_what_is_never_answered_is_an_error_sent_or_not(server):
    plan = Plan(
        server.url,
        [Kind("all", "/never")],
        0.05,
        100,
        connections=2,
        patience=0.2,
        constant=True,
    )
    found = drive(plan).kinds["all"]
    sent = found.reasons["no answer in 0.2 s"]
    # A connection that was given up makes room for another one.
    assert sent == len(server.heads) >= 2
    assert found.count == 5 == sent + found.reasons.get("not sent in 0.2 s", 0)


def test_the_generator_runs_in_a_process_of_its_own(server):
    kinds = [HELLO, Kind("refused", "/refused")]
    found = put_on(Plan(server.url, kinds, 0.1, 100, constant=True))
    fast, refused = found.kinds["hello"], found.kinds["refused"]
    assert (fast.count, fast.answered, fast.reasons) == (5, 5, {})
    assert (refused.count, refused.reasons) == (5, {"status 503": 5})
    assert fast.latency.p50 <= fast.latency.p99 <= fast.latency.max
    assert found.lag_p99 <= found.lag_max
    assert len(server.heads) == 10


def test_the_command_line_says_all_of_a_plan():
    words = "http://h:1 --rate 9 --seconds 2 --connections 3 --patience 4 --seed 5"
    kinds = "--constant --kind fast / 9 12 --kind slow /sleep?100"
    assert arguments([*words.split(), *kinds.split()]) == Plan(
        url="http://h:1",
        kinds=[Kind("fast", "/", 9, 12), Kind("slow", "/sleep?100", 1, -1)],
        seconds=2.0,
        rate=9.0,
        connections=3,
        patience=4.0,
        seed=5,
        constant=True,
    )
