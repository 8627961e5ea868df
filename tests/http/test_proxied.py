"""A connection that a load balancer passes on, before and after its header."""

from __future__ import annotations

from passtwist.service.listening.proxied import ProxiedFactory
from tests.http.conftest import Client

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LINE = b"PROXY TCP4 203.0.113.9 192.0.2.1 1234 8080\r\n"


def connect(bench):
    return Client(ProxiedFactory(bench.front, bench.clock, "tcp:80"))


def test_who_says_nothing_is_sent_away(bench):
    """The deadline of heads holds from the beginning, header or not."""
    silent, begun, said = connect(bench), connect(bench), connect(bench)
    begun.send(LINE[:20])
    said.send(LINE)
    bench.pass_time(29)
    assert not (silent.closed or begun.closed or said.closed)
    bench.pass_time(3)
    assert silent.closed and begun.closed and said.closed
    for client in (silent, begun, said):
        client.leave()
    assert not bench.front.connections


def test_the_header_comes_once(bench):
    """A second one is no request."""
    bench.answers()
    client = connect(bench)
    assert client.send(LINE + GET).endswith(b"hello")
    assert client.send(GET).endswith(b"hello")
    remote = [session.environ["REMOTE_ADDR"] for session in bench.pool.sessions]
    assert remote == ["203.0.113.9"] * 2
    assert client.send(LINE + GET).startswith(b"HTTP/1.1 400 ")
    assert len(bench.pool.sessions) == 2
    client.leave()
    assert not bench.front.connections


def test_who_sends_no_header_gets_no_answer(bench):
    """Not even an error: it may speak anything."""
    client = connect(bench)
    assert client.send(GET) == b""
    assert client.aborted
    client.leave()
