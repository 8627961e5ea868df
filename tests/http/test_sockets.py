"""The front end on real sockets."""

from __future__ import annotations

import socket

import pytest
import pytest_twisted
from twisted.internet import reactor, task
from twisted.internet.interfaces import IHalfCloseableProtocol
from zope.interface import implementer

from passtwist.api.failures import RequestFailure
from passtwist.http.config import Site
from passtwist.testing.clients import RealClient

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest_twisted.ensureDeferred
async def test_pipelined_requests_are_answered_in_their_order(real):
    """A hundred requests in one write get a hundred answers, first come first."""
    await real.serve()
    real.pool._answer = lambda session: session.responder.answer(
        b"200 OK\r\n", session.environ["PATH_INFO"].encode()
    )
    client = await real.connect()
    client.send(
        b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(100))
    )
    data = await client.until_ends_with(b"/99")
    bodies = [part.split(b"\r\n\r\n")[1] for part in data.split(b"HTTP/1.1 ")[1:]]
    assert bodies == [b"/%d" % n for n in range(100)]
    assert len(real.front.connections) == 1


@pytest_twisted.ensureDeferred
async def test_a_client_that_pipelines_thousands_lets_others_pass(real):
    """Its requests need no worker to wait for; all the same others come in between."""
    await real.serve(requests_per_connection=10**6)
    real.answers()
    greedy, modest = await real.connect(), await real.connect()
    greedy.send(GET * 10_000)
    await submitted(real, 1)
    modest.send(GET)
    await modest.until_ends_with(b"hello")
    assert len(real.pool.sessions) < 5_000
    await submitted(real, 10_001)


@pytest_twisted.ensureDeferred
async def test_a_slow_reader_holds_no_worker(real):
    """The pool has given all of a large response long before the client reads it:
    it is asked to wait for a moment, until it is clear that the client is slow."""
    await real.serve(response_memory=100_000)
    client = await real.connect()
    client.transport.pauseProducing()
    client.send(GET)
    await submitted(real, 1)
    session = real.pool.last
    block = bytes(range(256)) * 256
    session.responder.begin(b"200 OK\r\nContent-Length: %d\r\n" % (len(block) * 300))
    for _ in range(300):
        session.responder.write(block)
    await called(session, "pause", "resume")
    session.responder.finish()
    assert client.data == b""
    client.transport.resumeProducing()
    await client.until(lambda client: len(client.data) > len(block) * 300)
    head, _, body = client.data.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % (len(block) * 300) in head
    assert body == block * 300


@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest_twisted.ensureDeferred
async def test_a_client_that_is_refused_a_large_upload_can_read_why(real, kind):
    """It goes on sending for a while; the error waits for it all the same."""
    path = f"unix:{real.folder}/sock" if kind == "unix" else None
    endpoint = path or "tcp:0:interface=127.0.0.1"
    await real.serve(endpoint, site=Site("shop", max_body=1000))
    client = await real.connect(path)
    client.transport.pauseProducing()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n")
    for _ in range(50):
        client.send(b"x" * 10_000)
        await turn()
    client.transport.resumeProducing()
    data = await client.until_closed()
    assert data.startswith(b"HTTP/1.1 413 Content Too Large\r\n")
    assert data.endswith(b"</html>\n")
    assert real.pool.sessions == []


@pytest_twisted.ensureDeferred
async def test_requests_follow_one_another_on_a_connection(real):
    """Keep-alive: ten requests, one connection, each after the response before."""
    await real.serve()
    real.answers()
    client = await real.connect()
    for _ in range(10):
        client.data = b""
        client.send(GET)
        await client.until_ends_with(b"hello")
    assert real.front.counters.connections == 1
    assert len(real.pool.sessions) == 10


@pytest_twisted.ensureDeferred
async def test_a_unix_socket_serves_as_well(real):
    """With a response that does not fit into its buffer."""
    path = str(real.folder / "sock")
    await real.serve(f"unix:{path}")
    real.answers(body=b"x" * 3_000_000)
    client = await real.connect(f"unix:{path}")
    client.send(GET)
    await client.until(lambda client: client.data.count(b"x") >= 3_000_000)
    assert real.pool.last.environ["SERVER_NAME"] == "localhost"


@pytest_twisted.ensureDeferred
async def test_http10_ends_with_the_response(real):
    """The client sees the end, not a reset."""
    await real.serve()
    real.answers()
    client = await real.connect()
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    data = await client.until_closed()
    assert data.startswith(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n")
    assert data.endswith(b"\r\n\r\nhello")
    assert type(client.lost).__name__ == "ConnectionDone"


@pytest_twisted.ensureDeferred
async def test_head_has_headers_only(real):
    """And the next response is where the client expects it."""
    await real.serve()
    real.answers()
    client = await real.connect()
    client.send(GET.replace(b"GET", b"HEAD") + GET)
    data = await client.until_ends_with(b"hello")
    assert data.count(b"Content-Length: 5\r\n") == 2
    assert data.count(b"hello") == 1


@pytest_twisted.ensureDeferred
async def test_chunks_go_both_ways(real):
    """The request's are decoded, the response's are made as it comes."""
    await real.serve()
    client = await real.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    client.send(b"5\r\nhello\r\n0\r\n\r\n")
    await submitted(real, 1)
    responder = real.pool.last.responder
    assert real.pool.last.request.body == b"hello"
    responder.begin(b"200 OK\r\n")
    await client.until_ends_with(b"\r\n\r\n")
    responder.write(b"one")
    await client.until_ends_with(b"\r\n\r\n3\r\none\r\n")
    responder.write(b"two")
    responder.finish()
    await client.until_ends_with(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


@pytest_twisted.ensureDeferred
async def test_continue_comes_before_the_body(real):
    """A client that waits for it gets it, and then the response."""
    await real.serve()
    real.answers()
    client = await real.connect()
    client.send(
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
        b"Content-Length: 5\r\n\r\n"
    )
    await client.until_ends_with(b"HTTP/1.1 100 Continue\r\n\r\n")
    client.send(b"world")
    data = await client.until_ends_with(b"hello")
    assert data.count(b"HTTP/1.1 ") == 2
    assert real.pool.last.request.body == b"world"


@pytest_twisted.ensureDeferred
async def test_a_large_upload_arrives_whole_in_a_file(real):
    """Byte for byte, and no file has a name meanwhile."""
    await real.serve()
    body = bytes(range(256)) * 4000
    seen = []

    def read(session):
        with open(session.request.body_file, "rb", closefd=False) as file:
            seen.append(file.read())
        session.responder.answer(b"200 OK\r\n", b"stored")

    real.pool._answer = read
    client = await real.connect()
    client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body))
    client.send(body)
    await client.until_ends_with(b"stored")
    assert seen == [body]
    assert list(real.folder.iterdir()) == []


@pytest.mark.parametrize(
    "data", [GET, b"GET / HTTP/1.0\r\n\r\n"], ids=["chunked", "close-delimited"]
)
@pytest_twisted.ensureDeferred
async def test_a_response_that_breaks_off_is_reset(real, data):
    """The client can't take what it has for everything."""
    await real.serve()
    client = await real.connect()
    client.send(data)
    await submitted(real, 1)
    responder = real.pool.last.responder
    responder.begin(b"200 OK\r\n")
    responder.write(b"half")
    await client.until(lambda client: b"half" in client.data)
    responder.fail(RequestFailure(502, "the worker died"))
    data = await client.until_closed()
    assert not data.endswith(b"0\r\n\r\n")
    assert type(client.lost).__name__ == "ConnectionLost"


@pytest_twisted.ensureDeferred
async def test_a_client_that_goes_abandons_its_request(real):
    """Seen while the app is still thinking."""
    await real.serve()
    client = await real.connect()
    client.send(GET)
    await submitted(real, 1)
    client.transport.loseConnection()
    await client.until_closed()
    while real.front.connections:
        await turn()
    assert real.pool.last.calls == ["abandon"]


@pytest_twisted.ensureDeferred
async def test_a_slow_reader_of_an_endless_response_holds_its_worker_in_the_end(real):
    """Memory and file are bounded; when the client reads on, the worker goes on."""
    await real.serve(response_memory=100_000, response_spool=1_000_000)
    client = await real.connect()
    client.transport.pauseProducing()
    client.send(GET)
    await submitted(real, 1)
    session = real.pool.last
    session.responder.begin(b"200 OK\r\n")
    written = 0
    for in_file in (False, True):
        while session.calls[-1:] != ["pause"]:
            session.responder.write(b"x" * 65536)
            written += 65536
            assert written < 100_000_000
        if in_file:
            client.transport.resumeProducing()
        await called(session, *["pause", "resume"] * (in_file + 1))
    session.responder.finish()
    data = await client.until_ends_with(b"\r\n0\r\n\r\n")
    assert data.count(b"x") == written
    assert session.calls == ["pause", "resume"] * 2


@pytest_twisted.ensureDeferred
async def test_many_slow_readers_get_what_is_theirs(real):
    """Twenty clients read in turns; nobody gets another's bytes."""
    await real.serve(response_memory=10_000)
    real.pool._answer = lambda session: session.responder.answer(
        b"200 OK\r\n", session.environ["PATH_INFO"].encode() * 400_000
    )
    clients = [await real.connect() for _ in range(20)]
    for number, client in enumerate(clients):
        client.send(b"GET /%02d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
    for number, client in enumerate(clients):
        await client.until(lambda client: len(client.data) >= 1_200_000)
        body = client.data.partition(b"\r\n\r\n")[2]
        assert body == b"/%02d" % number * 400_000


@pytest_twisted.ensureDeferred
async def test_draining_lets_requests_finish(real):
    """The idle connection ends, the busy one gets its answer first."""
    await real.serve()
    real.answers()
    idle, busy = await real.connect(), await real.connect()
    idle.send(GET)
    await idle.until_ends_with(b"hello")
    real.pool._answer = None
    busy.send(GET)
    await submitted(real, 2)
    drained = real.front.drain()
    await idle.until_closed()
    assert not drained.called
    real.pool.last.responder.answer(b"200 OK\r\n", b"bye")
    data = await busy.until_closed()
    assert b"\r\nConnection: close\r\n" in data
    assert data.endswith(b"bye")
    await drained


@pytest_twisted.ensureDeferred
async def test_streamed_pieces_are_not_held_back_by_the_kernel(real):
    """TCP_NODELAY: small pieces must not wait for acknowledgements."""
    await real.serve()
    await real.connect()
    while not real.front.connections:
        await turn()
    (connection,) = real.front.connections
    skt = connection.transport.getHandle()
    assert skt.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest_twisted.ensureDeferred
async def test_a_load_balancer_that_speaks_the_proxy_protocol_is_believed(real):
    """The client is who the first line says, not who connected."""
    await real.serve("haproxy:tcp:0:interface=127.0.0.1")
    real.answers(body=b"x" * 2_000_000)
    client = await real.connect()
    client.send(b"PROXY TCP4 203.0.113.9 192.0.2.1 1234 8080\r\n" + GET)
    await client.until(lambda client: client.data.count(b"x") >= 2_000_000)
    environ = real.pool.last.environ
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("203.0.113.9", "1234")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("192.0.2.1", "8080")


@implementer(IHalfCloseableProtocol)
class Stubborn(RealClient):
    """A client that keeps its half open when the server has closed its own."""

    def readConnectionLost(self):
        pass

    def writeConnectionLost(self):
        pass


REFUSED = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n"


@pytest_twisted.ensureDeferred
async def test_a_refused_client_that_does_not_go_is_left(real):
    """When the time for it is over."""
    await real.serve(linger=0.0)
    client = await real.connect(protocol=Stubborn)
    client.send(REFUSED)
    await client.until_ends_with(b"</html>\n")
    while real.front.connections:
        await turn()
    assert client.data.startswith(b"HTTP/1.1 413 Content Too Large\r\n")


@pytest_twisted.ensureDeferred
async def test_a_refused_client_that_sends_on_for_ever_is_left(real):
    """When enough of it was thrown away."""
    await real.serve(linger=1000.0, linger_bytes=100_000)
    client = await real.connect(protocol=Stubborn)
    client.send(REFUSED)
    await client.until_ends_with(b"</html>\n")
    # To the end: who sends nothing at that moment is not told that it came.
    while client.lost is None:
        client.send(b"x" * 10_000)
        await turn()
    assert real.front.connections == set()


async def submitted(real, count: int) -> None:
    """Wait until so many requests have reached the pool."""
    while len(real.pool.sessions) < count:
        await turn()


async def called(session, *calls: str) -> None:
    """Wait until a session has been told all of that."""
    while session.calls != list(calls):
        await turn()


async def turn():
    """Let the reactor run once."""
    await task.deferLater(reactor, 0)
