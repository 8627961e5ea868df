"""The storms would notice: servers that do each thing that may not be."""

from __future__ import annotations

import re
import socketserver
import threading
from contextlib import contextmanager

import pytest

from passtwist.testing.waiting import wait_until
from tests.storms.client import filler
from tests.storms.crowd import Crowd, Tally
from tests.storms.record import Begun, judge

ENOUGH = 100  # requests


def response(body, status="200 OK", length=None, more=""):
    length = len(body) if length is None else length
    return (
        f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{more}\r\n".encode() + body
    )


def right(name, size, version=1):
    """The body that the app answers."""
    return f"{name} {version} 77\n".encode() + filler(name, size)


# What such a server sends, and whether it closes the connection then.
SERVERS = {
    "honest": lambda name, size: (response(right(name, size)), False),
    "leaving": lambda name, size: (
        response(right(name, size), more="Connection: close\r\n"),
        True,
    ),
    "confused": lambda name, size: (response(right("another", size)), False),
    "long": lambda name, size: (response(right(name, size)) + b"!", False),
    "short": lambda name, size: (response(right(name, size)[:-1]), False),
    "cutting": lambda name, size: (response(b"short", length=99), True),
    "silent": lambda name, size: (b"", True),
    "broken": lambda name, size: (response(b"sorry", "502 Bad Gateway"), False),
    "abrupt": lambda name, size: (response(right(name, size)), True),
}


@contextmanager
def serving(kind):
    """Port of a server that answers as SERVERS says."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while line := self.rfile.readline():
                length = 0
                while (field := self.rfile.readline()) != b"\r\n":
                    if field.startswith(b"Content-Length: "):
                        length = int(field[16:])
                self.rfile.read(length)
                name, size = re.findall(rb"name=([\d-]+)&size=(\d+)", line)[0]
                data, closing = SERVERS[kind](name.decode(), int(size))
                self.wfile.write(data)
                if closing:
                    return

    class Server(socketserver.ThreadingTCPServer):
        request_queue_size = 100

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def tally_of(kind, promised=0):
    with serving(kind) as port, Crowd(port, rate=2000, seed=1) as crowd:
        crowd.promise(promised)
        wait_until(lambda: crowd.tally.requests >= ENOUGH, "enough requests")
        crowd.leave()
    return crowd.tally


def test_an_honest_server_has_no_faults():
    tally = tally_of("honest")
    verdict = judge(tally, begun(*tally.orders), set(), threads=1)
    assert verdict.faults() == {}
    assert tally.answered == {1: tally.requests}
    assert 0 < len(tally.orders) < tally.requests
    assert (tally.goodbyes, tally.idle_closes) == (0, 0)


def test_a_server_may_close_connections_if_it_says_so():
    tally = tally_of("leaving")
    assert judge(tally, begun(*tally.orders), set(), threads=1).faults() == {}
    assert tally.goodbyes == tally.requests


@pytest.mark.parametrize("kind", ["confused", "long", "short"])
def test_an_answer_to_something_else_is_wrong(kind):
    """Also one that is a byte too long or too short."""
    tally = tally_of(kind)
    assert len(tally.wrong) >= tally.requests
    assert tally.answered == {}


@pytest.mark.parametrize(
    ("kind", "what"), [("cutting", "cut"), ("silent", "closed"), ("broken", "502")]
)
def test_what_is_no_answer_is_a_failure_of_its_kind(kind, what):
    tally = tally_of(kind)
    assert tally.failures == {what: tally.requests}
    assert set(tally.failed.values()) == {what}


def test_connections_that_are_closed_in_silence_are_counted():
    """A GET that meets that is asked again; a POST has failed."""
    tally = tally_of("abrupt")
    assert tally.idle_closes > 0
    assert set(tally.failures) <= {"closed"}
    assert {tally.orders[name] for name in tally.failed} <= {"closed"}


def test_an_answer_of_older_code_than_promised_is_stale():
    tally = tally_of("honest", promised=2)
    assert len(tally.stale) > tally.requests / 2
    assert tally.failures == {}


# --- what the app has written down ------------------------------------------------


def begun(*names, pid=77):
    return [Begun("POST", name, pid, 1) for name in names]


def failed(**by_name):
    names = {name.replace("_", "-"): what for name, what in by_name.items()}
    return Tally(requests=9, failed=names)


def test_a_request_that_ran_twice_is_repeated_unless_its_client_asked_twice():
    tally = Tally(requests=3, asked_again=["1-2"])
    journal = begun("1-1", "1-2", "1-2", "1-3", "1-3")
    assert judge(tally, journal, set(), threads=1).faults() == {"repeated": ["1-3"]}


def test_an_order_that_was_answered_but_never_begun_is_lost():
    tally = Tally(requests=3, orders={"1-1": "200", "1-2": "200", "1-3": "502"})
    assert judge(tally, begun("1-1"), set(), threads=1).lost == ["1-2"]


def test_only_what_was_in_a_killed_worker_may_be_502():
    journal = [*begun("a", pid=1), *begun("b", pid=2)]
    tally = failed(a="502", b="502", c="503")
    verdict = judge(tally, journal, {1}, threads=1)
    assert (verdict.inside, verdict.unexplained) == (1, {"b": "502", "c": "503"})


def test_no_more_may_be_502_than_killed_workers_can_have_had():
    """Of some the app has not written down in time that it begins."""
    tally = failed(a="502", b="502", c="502")
    assert judge(tally, begun("a", pid=1), {1}, threads=3).inside == 3
    assert judge(tally, begun("a", pid=1), {1}, threads=2).unexplained == tally.failed
