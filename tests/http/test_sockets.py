"""The front end on real sockets."""

from __future__ import annotations

import pytest_twisted

from passtwist.http.config import Site


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
async def test_a_slow_reader_holds_no_worker(real):
    """The pool has given all of a large response long before the client reads it."""
    await real.serve(response_memory=100_000)
    client = await real.connect()
    client.transport.pauseProducing()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await client.until(lambda client: True)
    while not real.pool.sessions:
        await turn()
    session = real.pool.last
    block = bytes(range(256)) * 256
    session.responder.begin(b"200 OK\r\nContent-Length: %d\r\n" % (len(block) * 300))
    for _ in range(300):
        session.responder.write(block)
    session.responder.finish()
    assert session.calls == []
    assert client.data == b""
    client.transport.resumeProducing()
    await client.until(lambda client: len(client.data) > len(block) * 300)
    head, _, body = client.data.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % (len(block) * 300) in head
    assert body == block * 300


@pytest_twisted.ensureDeferred
async def test_a_client_that_is_refused_a_large_upload_can_read_why(real):
    """It goes on sending for a while; the error waits for it all the same."""
    await real.serve(site=Site("shop", max_body=1000))
    client = await real.connect()
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


async def turn():
    """Let the reactor run once."""
    from twisted.internet import reactor, task

    await task.deferLater(reactor, 0)
