"""Clients that send nothing more, on real sockets: some wait, others are gone."""

from __future__ import annotations

import socket
import struct

import pytest
import pytest_twisted
from twisted.internet.interfaces import IHalfCloseableProtocol
from zope.interface import implementer

from passtwist.http.config import Site
from passtwist.testing.clients import RealClient
from tests.http.turns import submitted, until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
GET_10 = b"GET / HTTP/1.0\r\n\r\n"
# Sent to see who is there, and only by TCP.
PROBE = b"HTTP/1.1 100 Continue\r\n\r\n"


@implementer(IHalfCloseableProtocol)
class HalfClient(RealClient):
    """Closes its sending side and goes on reading."""

    def done(self):
        self.transport.loseWriteConnection()

    def readConnectionLost(self):
        self.transport.loseConnection()

    def writeConnectionLost(self):
        """As it wished."""


class Way:
    """How clients connect: by TCP, or by a Unix socket."""

    def __init__(self, real, kind):
        self.real = real
        self.is_tcp = kind == "tcp"
        path = f"unix:{real.folder}/sock"
        self._to = None if self.is_tcp else path
        self.endpoint = "tcp:0:interface=127.0.0.1" if self.is_tcp else path

    async def ask(self, data):
        """A client that has sent all it wants to."""
        client = await self.real.connect(self._to, protocol=HalfClient)
        client.send(data)
        client.done()
        return client


@pytest.fixture(params=["tcp", "unix"])
def way(request, real):
    return Way(real, request.param)


def left(real):
    """All clients are gone, and so are the requests that they had."""
    return not real.front.connections


@pytest_twisted.ensureDeferred
async def test_a_client_that_has_said_all_gets_its_answer(way):
    """With HTTP/1.1 and at once, or after its end was seen; then it is over."""
    real = way.real
    await real.serve(way.endpoint)
    client = await way.ask(GET)
    await submitted(real, 1)
    (connection,) = real.front.connections
    await until(lambda: connection.has_ended, "the end of what the client sends")
    real.pool.last.responder.answer(b"200 OK\r\n", b"hello")
    data = await client.until_closed()
    assert data.startswith((PROBE if way.is_tcp else b"") + b"HTTP/1.1 200 OK\r\n")
    assert data.endswith(b"\r\n\r\nhello")
    await until(lambda: left(real), "the end")
    assert real.pool.last.calls == []
    assert real.front.counters.client_gone == 0


@pytest_twisted.ensureDeferred
async def test_all_requests_are_answered_that_were_sent_before_the_end(way):
    """Pipelined ones; what is no whole request any more is a bad one."""
    real = way.real
    await real.serve(way.endpoint)
    real.answers()
    client = await way.ask(GET * 3 + GET[:-2])
    data = await client.until_closed()
    statuses = [part[:3] for part in data.split(b"HTTP/1.1 ")[1:]]
    assert [one for one in statuses if one != b"100"] == [b"200"] * 3 + [b"400"]
    assert data.endswith(b"</html>\n")
    assert len(real.pool.sessions) == 3


@pytest.mark.parametrize(
    "part", [GET[:9], b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"]
)
@pytest_twisted.ensureDeferred
async def test_half_a_request_is_a_bad_one(way, part):
    """RFC 9112, 8: no app hears of it, and who reads on learns why."""
    real = way.real
    await real.serve(way.endpoint)
    client = await way.ask(part)
    data = await client.until_closed()
    assert data.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert real.pool.sessions == []


@pytest_twisted.ensureDeferred
async def test_a_client_that_said_nothing_is_told_nothing(way):
    """It connected and thought better of it."""
    real = way.real
    await real.serve(way.endpoint)
    client = await way.ask(b"")
    assert await client.until_closed() == b""


@pytest.mark.parametrize("request_", [GET, GET_10])
@pytest_twisted.ensureDeferred
async def test_a_client_that_has_gone_leaves_the_queue(way, request_):
    """It closed, which the kernel tells as it tells that nothing more will be sent."""
    real = way.real
    await real.serve(way.endpoint)
    client = await way.ask(b"")
    await client.until_closed()
    client = await way.real.connect(way._to)
    client.send(request_)
    await submitted(real, 1)
    real.pool.last.worker_pid = 0  # it waits for a worker
    client.transport.loseConnection()
    await until(lambda: left(real), "the end of the connection")
    assert real.pool.last.calls == ["abandon"]
    assert real.front.counters.client_gone == 1


@pytest_twisted.ensureDeferred
async def test_a_client_that_is_reset_later_is_gone_then(real):
    """It had closed its side only; now it is gone for good."""
    await real.serve()
    port = real.port.getHost().port
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(GET)
        client.shutdown(socket.SHUT_WR)
        await submitted(real, 1)
        (connection,) = real.front.connections
        await until(lambda: connection.has_ended, "the end of what the client sends")
        assert real.pool.last.calls == []
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await until(lambda: left(real), "the end of the connection")
    assert real.pool.last.calls == ["abandon"]


async def begun(real):
    """A client that has ended when its answer had begun, and its responder."""
    await real.serve()
    client = await real.connect(protocol=HalfClient)
    client.send(GET)
    await submitted(real, 1)
    responder = real.pool.last.responder
    responder.begin(b"200 OK\r\nContent-Length: 2\r\n")
    await client.until_ends_with(b"\r\n\r\n")
    client.done()
    (connection,) = real.front.connections
    await until(lambda: connection.has_ended, "the end of what the client sends")
    return client, connection, responder


@pytest_twisted.ensureDeferred
async def test_a_client_that_ends_within_its_answer_gets_the_rest(real):
    """A piece of it that is taken is a sign of life."""
    client, connection, responder = await begun(real)
    responder.write(b"a")
    connection.deadline_passed()
    responder.write(b"b")
    responder.finish()
    assert (await client.until_closed()).endswith(b"\r\n\r\nab")


@pytest_twisted.ensureDeferred
async def test_a_client_that_ends_within_an_answer_that_pauses_is_gone(real):
    """There is nothing by which it could be asked."""
    client, connection, _ = await begun(real)
    assert connection.deadline < connection.front.watch.after(2)
    connection.deadline_passed()
    await client.until_closed()
    assert real.pool.last.calls == ["abandon"]
    assert real.front.counters.timed_out == 0


@pytest_twisted.ensureDeferred
async def test_a_client_of_http10_is_waited_for_while_a_worker_is_at_it(real):
    """It knows no 100, so it can't be asked; the worker is busy in any case."""
    await real.serve()
    client = await real.connect(protocol=HalfClient)
    client.send(GET_10)
    client.done()
    await submitted(real, 1)
    (connection,) = real.front.connections
    await until(lambda: connection.has_ended, "the end of what the client sends")
    real.pool.last.responder.answer(b"200 OK\r\n", b"hello")
    data = await client.until_closed()
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert data.endswith(b"hello")


@pytest_twisted.ensureDeferred
async def test_a_long_answer_is_sent_whole_to_who_sends_nothing_more(way):
    """More than the kernel takes at once."""
    real = way.real
    await real.serve(way.endpoint)
    real.answers(body=b"x" * 3_000_000)
    client = await way.ask(GET)
    data = await client.until_closed()
    assert data.count(b"x") == 3_000_000


@pytest_twisted.ensureDeferred
async def test_a_file_is_sent_whole_to_who_sends_nothing_more(way):
    """Also by HTTP/1.0, though no worker is at it: what it takes is a sign of life."""
    real = way.real
    (real.folder / "public").mkdir()
    (real.folder / "public" / "big").write_bytes(b"x" * 3_000_000)
    site = Site("shop", root=str(real.folder), public="public")
    await real.serve(way.endpoint, site=site)
    client = await way.ask(GET_10.replace(b"/", b"/big", 1))
    data = await client.until_closed()
    assert data.partition(b"\r\n\r\n")[2] == b"x" * 3_000_000
