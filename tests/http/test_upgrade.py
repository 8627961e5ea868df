"""Upgrades at the client's side: who may, what flows, and what is no request."""

from __future__ import annotations

import json

import pytest
import pytest_twisted
from twisted.internet.interfaces import IHalfCloseableProtocol
from zope.interface import implementer
from zope.interface.verify import verifyClass

from passtwist.api.interfaces import ITunnelEnd
from passtwist.http.access_log import AccessLog
from passtwist.http.config import HttpLimits
from passtwist.http.tunnel import Tunnel
from passtwist.testing.clients import RealClient
from tests.http.turns import submitted, until

HANDSHAKE = (
    b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
    b"Upgrade: WebSocket\r\nSec-WebSocket-Key: x\r\n\r\n"
)
SWITCH = b"101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
WISH = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@implementer(ITunnelEnd)
class Worker:
    """The worker's end; notes what it is told."""

    def __init__(self):
        self.received = b""
        self.told = []

    def send(self, data):
        self.received += data

    def end(self):
        self.told.append("end")

    def pause(self):
        self.told.append("pause")

    def resume(self):
        self.told.append("resume")

    def close(self):
        self.told.append("close")


verifyClass(ITunnelEnd, Worker)
verifyClass(ITunnelEnd, Tunnel)


@pytest.fixture
def tunnel(bench):
    """A client, and the worker that it was connected with."""
    client = bench.connect()
    assert client.send(HANDSHAKE + b"early") == b""
    worker = Worker()
    responder = bench.pool.last.responder
    client.near = responder.upgrade(SWITCH + b"Sec-WebSocket-Accept: y\r\n", worker)
    client.worker = worker
    client.switched = client.take()
    return client


# --- the wish ---------------------------------------------------------------------


def test_a_wish_for_an_upgrade_is_told_apart_from_the_headers(bench):
    """The app gets no Upgrade among its variables, and no Connection."""
    client = bench.connect()
    client.send(HANDSHAKE)
    request = bench.pool.last.request
    assert list(request.upgrade) == [b"websocket"]
    assert b"HTTP_UPGRADE" not in request.pairs
    assert b"HTTP_CONNECTION" not in request.pairs
    assert bench.pool.last.environ["HTTP_SEC_WEBSOCKET_KEY"] == "x"


@pytest.mark.parametrize(
    ("method", "version", "headers"),
    [
        (b"GET", b"1.0", b"Connection: Upgrade\r\nUpgrade: websocket\r\n"),
        (b"GET", b"1.1", b"Upgrade: websocket\r\n"),
        (b"GET", b"1.1", b"Connection: close\r\nUpgrade: websocket\r\n"),
        (b"GET", b"1.1", b"Connection: Upgrade\r\n"),
        (b"GET", b"1.1", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"),
        (b"GET", b"1.1", b"Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n"),
        (b"GET", b"1.1", b"Connection: Upgrade\r\nUpgrade: TLS/1.2, a b\r\n"),
        (b"POST", b"1.1", WISH + b"Content-Length: 1\r\n"),
        (b"POST", b"1.1", WISH + b"Transfer-Encoding: chunked\r\n"),
    ],
    ids=[
        *("HTTP/1.0", "no Connection", "another Connection", "no Upgrade"),
        *("h2c", "HTTP/2.0", "TLS", "a body", "chunks"),
    ],
)
def test_what_is_no_proper_wish_is_ignored(bench, method, version, headers):
    """It is an ordinary request, and the next one may follow."""
    bench.answers()
    client = bench.connect()
    head = b"%b / HTTP/%b\r\nHost: a\r\n%b\r\n" % (method, version, headers)
    body = {b"GET": b"", b"POST": b"x"}[method]
    if b"chunked" in headers:
        body = b"1\r\nx\r\n0\r\n\r\n"
    answer = client.send(head + body)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    (session,) = bench.pool.sessions
    assert list(session.request.upgrade) == []
    if version == b"1.1" and b"close" not in headers:
        assert b"Connection: close" not in answer
        client.send(GET)
        assert len(bench.pool.sessions) == 2


def test_of_several_protocols_all_are_told(bench):
    """The worker may know the second one."""
    client = bench.connect()
    client.send(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c, foo/1.2\r\n"
        b"Upgrade: WebSocket\r\n\r\n"
    )
    assert list(bench.pool.last.request.upgrade) == [b"foo/1.2", b"websocket"]


def test_what_follows_a_wish_that_was_not_granted_is_no_request(bench):
    """Whoever guessed that it would be granted has not sent a request."""
    bench.answers(b"403 Forbidden\r\n", b"no")
    client = bench.connect()
    answer = client.send(HANDSHAKE + GET)
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"Connection: close\r\n" in answer
    client.send(GET)
    assert len(bench.pool.sessions) == 1


def test_what_came_before_a_wish_was_refused_is_no_request(bench):
    """The same, when the answer comes later."""
    client = bench.connect()
    client.send(HANDSHAKE + GET)
    client.send(GET)
    bench.pool.last.responder.answer(b"200 OK\r\n", b"plain")
    assert b"Connection: close\r\n" in client.take()
    client.send(GET)
    assert (len(bench.pool.sessions), client.closed) == (1, True)


def test_a_drained_server_upgrades_nothing(bench):
    """503, so that the client goes elsewhere; ordinary requests are answered."""
    bench.answers()
    bench.front.keep_connections(False)
    client = bench.connect()
    answer = client.send(HANDSHAKE)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1\r\n" in answer
    assert bench.pool.sessions == []
    assert bench.connect().send(GET).startswith(b"HTTP/1.1 200 ")


# --- the tunnel -------------------------------------------------------------------


def test_an_upgrade_is_granted_in_the_words_of_the_app(tunnel):
    """And what the client has sent since goes to the worker."""
    assert tunnel.switched == (
        b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: y\r\n"
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nX-Request-Id: id-1\r\n\r\n"
    )
    assert tunnel.worker.received == b"early"


def test_what_looks_like_a_request_is_none_any_more(tunnel, bench):
    """Bytes go both ways as they are."""
    assert tunnel.send(GET) == b""
    assert tunnel.worker.received == b"early" + GET
    tunnel.near.send(b"HTTP/1.1 200 OK\r\n\r\n\0\xff")
    assert tunnel.take() == b"HTTP/1.1 200 OK\r\n\r\n\0\xff"
    assert len(bench.pool.sessions) == 1


def test_a_client_that_does_not_read_holds_the_worker(tunnel):
    """As soon as anything has to wait."""
    tunnel.transport.producer.pauseProducing()
    tunnel.near.send(b"one ")
    tunnel.near.send(b"two")
    assert (tunnel.take(), tunnel.worker.told) == (b"", ["pause"])
    tunnel.transport.producer.resumeProducing()
    assert (tunnel.take(), tunnel.worker.told) == (b"one two", ["pause", "resume"])


def test_a_worker_that_does_not_read_holds_the_client(tunnel):
    """Nothing is read from its socket until then."""
    tunnel.near.pause()
    assert tunnel.transport.producerState == "paused"
    tunnel.near.resume()
    assert tunnel.transport.producerState == "producing"
    tunnel.near.pause()
    tunnel.near.close()
    assert (tunnel.transport.producerState, tunnel.closed) == ("producing", True)


def test_reading_goes_on_after_an_upgrade_that_came_late(bench):
    """A client that sent much ahead was held until then."""
    client = bench.connect()
    ahead = b"x" * (HttpLimits().read_ahead + 1)
    client.send(HANDSHAKE)
    client.send(ahead)
    assert client.transport.producerState == "paused"
    worker = Worker()
    bench.pool.last.responder.upgrade(SWITCH, worker)
    assert client.transport.producerState == "producing"
    assert worker.received == ahead


def test_a_tunnel_has_no_deadline(tunnel, bench):
    """Not for what it says, nor for what it takes."""
    bench.pass_time(3600)
    tunnel.transport.producer.pauseProducing()
    tunnel.near.send(b"slowly")
    bench.pass_time(3600)
    assert not (tunnel.closed or tunnel.aborted)


def test_a_tunnel_ends_with_the_worker_when_all_is_delivered(tunnel, bench):
    """However long that takes, up to the deadline of any response."""
    tunnel.transport.producer.pauseProducing()
    tunnel.near.send(b"last words")
    tunnel.near.close()
    bench.pass_time(30)
    assert not tunnel.closed
    tunnel.transport.producer.resumeProducing()
    assert (tunnel.take(), tunnel.closed) == (b"last words", True)
    assert len(bench.pool.sessions) == 1


def test_a_client_that_never_takes_the_last_words_is_cut_off(tunnel, bench):
    """Its worker is gone, so nobody else would end it."""
    tunnel.transport.producer.pauseProducing()
    tunnel.near.send(b"last words")
    tunnel.near.close()
    bench.pass_time(HttpLimits().send_timeout + 2)
    assert tunnel.aborted


def test_a_client_that_leaves_is_told_to_the_session(tunnel, bench):
    """Which closes the worker's end."""
    tunnel.leave()
    assert bench.pool.last.calls == ["abandon"]
    tunnel.near.send(b"to nobody")
    tunnel.near.pause()
    tunnel.near.resume()
    tunnel.near.end()
    tunnel.near.close()


@pytest.mark.parametrize(
    "end",
    [lambda front: front.drain(), lambda front: front.keep_connections(False)],
    ids=["the server stops", "the server is drained"],
)
def test_a_tunnel_ends_when_the_server_wants_no_connections(tunnel, bench, end):
    """The worker sees the client's end, may say goodbye, and then it is over."""
    end(bench.front)
    assert tunnel.worker.told == ["end"]
    tunnel.near.send(b"goodbye")
    assert tunnel.take() == b"goodbye"
    assert not tunnel.closed
    bench.pass_time(HttpLimits().linger + 2)
    assert tunnel.closed


def test_an_upgrade_that_comes_when_the_server_stops_is_ended_at_once(bench):
    """The client had asked before."""
    client = bench.connect()
    client.send(HANDSHAKE)
    drained = bench.front.drain()
    worker = Worker()
    near = bench.pool.last.responder.upgrade(SWITCH, worker)
    assert worker.told == ["end"]
    near.send(b"goodbye")
    near.close()
    assert client.take().endswith(b"goodbye")
    assert client.closed
    client.leave()
    assert drained.called


def test_a_tunnel_is_no_request_that_is_cut_off(tunnel, bench):
    """It would have had no end; so a stop does not fail by it."""
    assert bench.front.abort_connections() == 0
    assert tunnel.aborted


def test_both_sides_may_end_one_after_the_other(tunnel):
    """As a client can that closes one side alone."""
    tunnel.connection.readConnectionLost()
    assert tunnel.worker.told == ["end"]
    tunnel.near.send(b"answer")
    tunnel.near.end()
    assert (tunnel.take(), tunnel.closed) == (b"answer", True)
    assert tunnel.worker.told == ["end", "close"]


def test_an_upgrade_for_a_client_that_is_gone_is_refused(bench):
    """There is nobody to talk to."""
    client = bench.connect()
    client.send(HANDSHAKE)
    client.leave()
    assert bench.pool.last.responder.upgrade(SWITCH, Worker()) is None


def test_an_upgrade_that_would_inject_a_header_is_502(bench):
    """It is checked like any other head."""
    client = bench.connect()
    client.send(HANDSHAKE)
    bad = SWITCH + b"A: b\0\r\n"
    assert bench.pool.last.responder.upgrade(bad, Worker()) is None
    assert client.take().startswith(b"HTTP/1.1 502 ")


def test_the_access_log_has_a_line_when_a_tunnel_ends(bench, tmp_path):
    """With all bytes that went to the client, and how long it took."""
    log = AccessLog(str(tmp_path / "log"), "json")
    log.open()
    bench.configure(access_log=log)
    client = bench.connect()
    client.send(HANDSHAKE + b"early")
    near = bench.pool.last.responder.upgrade(SWITCH, Worker())
    near.send(b"x" * 1000)
    client.send(b"y" * 100)
    bench.pass_time(100)
    log.flush()
    assert (tmp_path / "log").read_text() == ""
    near.close()
    log.close()
    (line,) = (tmp_path / "log").read_text().splitlines()
    entry = json.loads(line)
    assert (entry["status"], entry["target"]) == (101, "/chat")
    assert (entry["received"], entry["sent"]) == (105, 1000)
    assert entry["total_s"] == 100
    assert entry["complete"] is True


@implementer(IHalfCloseableProtocol)
class TalkativeClient(RealClient):
    """Goes on sending when it has seen the end."""

    has_seen_end = False

    def readConnectionLost(self):
        self.has_seen_end = True
        self._look()

    def writeConnectionLost(self):
        pass


@pytest_twisted.ensureDeferred
async def test_either_side_may_end_alone_on_a_real_socket(real):
    """The other one goes on; when both have ended, it is over."""
    await real.serve()
    client = await real.connect(protocol=TalkativeClient)
    client.send(HANDSHAKE)
    await submitted(real, 1)
    worker = Worker()
    near = real.pool.last.responder.upgrade(SWITCH, worker)
    near.send(b"that was all")
    near.end()
    await client.until(lambda client: client.has_seen_end)
    assert client.data.endswith(b"that was all")
    client.send(b"but I have more to say")
    client.transport.loseWriteConnection()
    await until(lambda: worker.told, "the end of the client")
    assert (worker.received, worker.told) == (b"but I have more to say", ["end"])
    near.close()
    await until(lambda: not real.front.connections, "the end of the connection")


@pytest_twisted.ensureDeferred
async def test_a_client_that_closes_when_the_tunnel_is_over_is_not_waited_for(real):
    """It is gone at once, and not when its time to go is up."""
    await real.serve(linger=1000.0)
    client = await real.connect()
    client.send(HANDSHAKE)
    await submitted(real, 1)
    near = real.pool.last.responder.upgrade(SWITCH, Worker())
    near.close()
    await client.until_closed()
    await until(lambda: not real.front.connections, "the end of the connection")
