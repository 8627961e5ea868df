"""Workers that are killed, and servers that are restarted, under load."""

from __future__ import annotations

import socketserver
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from benchmarks.load.echo import Echo, EchoLoad
from benchmarks.measures.base import Bench
from benchmarks.measures.recovery import Recovery
from benchmarks.measures.restart import Restart, switched
from benchmarks.servers.gunicorn import Gunicorn
from benchmarks.servers.passtwist import Passtwist
from benchmarks.servers.twist import TwistWeb
from benchmarks.servers.waitress import Waitress
from passtwist.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.servers import Running


class Once(socketserver.StreamRequestHandler):
    """Answers one request as if there were more to come, then hangs up."""

    def handle(self) -> None:
        path = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        answers = cast("Answers", self.server)
        body = answers.body_of(path.partition("?")[2]).encode()
        head = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n"
        self.wfile.write(head % (answers.status, len(body)) + body)


class Answers(socketserver.ThreadingTCPServer):
    """A server of such answers.

    :ivar body_of: what to answer to a nonce.
    """

    status = 200
    body_of: Callable[[str], str]


@pytest.fixture
def answers() -> Iterator[Answers]:
    with Answers(("127.0.0.1", 0), Once) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)


def load_of(server: Answers, clients: int = 1) -> EchoLoad:
    url = f"http://127.0.0.1:{server.server_address[1]}"
    return EchoLoad(cast("Running", SimpleNamespace(url=url)), clients)


def test_a_kept_connection_that_is_closed_is_no_failure(answers):
    """Clients repeat such a request by themselves; here each but the first."""
    answers.body_of = lambda nonce: f"{nonce} 7\n"
    with load_of(answers) as load:
        wait_until(lambda: len(load.ended) >= 5, "five answers")
    assert {(one.verdict, one.pid) for one in load.ended} == {("right", 7)}
    assert load.repeated == len(load.ended) - 1
    assert load.pids_since(0.0) == {7}


def test_an_answer_to_another_request_is_wrong(answers):
    answers.body_of = lambda nonce: "0-0 7\n"
    with load_of(answers) as load:
        wait_until(lambda: load.ended, "an answer")
    assert load.count("wrong") == len(load.ended)
    assert load.pids_since(0.0) == set()


def test_an_error_is_a_failure(answers):
    answers.body_of = lambda nonce: f"{nonce} 7\n"
    answers.status = 503
    with load_of(answers) as load:
        wait_until(lambda: load.ended, "an answer")
    assert load.count("failed") == len(load.ended)


def test_the_longest_gap_is_between_right_answers(answers):
    """Failures in between don't end it; one at the end does."""
    load = load_of(answers, clients=0)
    load.ended = [
        Echo(1.0, "right", 7),
        Echo(2.0, "right", 7),
        Echo(3.0, "failed"),
        Echo(4.5, "right", 8),
        Echo(5.0, "right", 8),
    ]
    assert load.longest_gap() == 2.5
    assert switched(load, {7}) == 4.5
    assert load.pids_since(4.5) == {8}
    load.ended.append(Echo(9.0, "failed"))
    assert load.longest_gap() == 4.0


def test_a_restart_is_over_when_only_new_workers_answer(with_gunicorn, tmp_path):
    bench = Bench([Gunicorn("gthread"), Passtwist()], quick=True, folder=tmp_path)
    Restart().take(bench)
    assert bench.results.absences == []
    found = {sample.server: sample.values for sample in bench.results.samples}
    assert set(found) == {"gunicorn gthread", "passtwist smart"}
    for values in found.values():
        assert set(values) == {column.key for column in Restart.columns}
        assert values["wrong"] == 0
        assert values["seconds"] > 0
        assert values["gap"] > 0
        assert values["failed"] < values["requests"]
    assert found["passtwist smart"]["failed"] == 0


def test_who_can_t_restart_is_recorded_with_the_reason(tmp_path):
    bench = Bench([TwistWeb()], quick=True, folder=tmp_path)
    Restart().take(bench)
    (absence,) = bench.results.absences
    assert (absence.kind, absence.server) == ("none", "twist web")
    assert bench.results.samples == []


def test_a_killed_worker_is_missed_by_few_and_replaced(tmp_path):
    bench = Bench([Passtwist(), Waitress()], quick=True, folder=tmp_path)
    Recovery().take(bench)
    (absence,) = bench.results.absences
    assert (absence.kind, absence.server) == ("none", "waitress")
    (sample,) = bench.results.samples
    assert sample.server == "passtwist smart"
    assert set(sample.values) == {column.key for column in Recovery.columns}
    # What it was doing is lost; all else waits for the other worker.
    assert sample.values["failed"] <= 1
    assert sample.values["seconds"] > 0
