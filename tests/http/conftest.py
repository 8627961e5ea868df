"""A front end on a bench: without sockets and time, or on real sockets."""

from __future__ import annotations

from dataclasses import replace

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import ensureDeferred
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import formatEvent, globalLogPublisher

from passtwist.http.access_log import AccessLog
from passtwist.http.config import FrontEndConfig, HttpLimits, Site
from passtwist.http.front import FrontEnd
from passtwist.testing.clients import RealClient
from passtwist.testing.fakes import FakePool

HERE = IPv4Address("TCP", "127.0.0.1", 8080)
PEER = IPv4Address("TCP", "192.0.2.7", 40000)
NOON = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the date in RFC 9110


class Client:
    """One client of a front end, over a transport that only remembers.

    :param door: of a front end, or the front end itself.
    """

    def __init__(self, door, peer=PEER):
        self.connection = door.buildProtocol(peer)
        self.transport = StringTransport(HERE, peer)
        self.connection.makeConnection(self.transport)

    def send(self, data: bytes) -> bytes:
        """Send *data*; answer what came back."""
        self.connection.dataReceived(data)
        return self.take()

    def take(self) -> bytes:
        """What came since it was last asked."""
        data = self.transport.value()
        self.transport.clear()
        return data

    @property
    def closed(self) -> bool:
        return self.transport.disconnecting

    @property
    def aborted(self) -> bool:
        return self.transport.disconnected

    def leave(self) -> None:
        """Close the connection from this end."""
        self.connection.connectionLost()


class Bench:
    """A front end with a fake pool and a clock that stands still."""

    def __init__(self, folder):
        self.clock = Clock()
        self.clock.advance(NOON)
        self.pool = FakePool()
        self.folder = folder
        self.clients = []
        self.front = None
        self.configure()

    def configure(self, *sites, access_log=None, config=None, **limits):
        """Make the front end anew, for *sites* with *limits*."""
        config = config or FrontEndConfig(spool_dir=str(self.folder))
        config = replace(config, limits=replace(HttpLimits(), **limits))
        self.front = FrontEnd(
            self.pool,
            sites or [Site("shop")],
            config,
            self.clock,
            access_log or AccessLog("off"),
            id_prefix=b"id",
            now=self.clock.seconds,
        )
        return self.front

    def connect(self, peer=PEER, by=None) -> Client:
        client = Client(by or self.front, peer)
        self.clients.append(client)
        return client

    def answers(self, head=b"200 OK\r\n", body=b"hello"):
        """Every request is answered at once, with *head* and *body*."""
        self.pool._answer = lambda session: session.responder.answer(head, body)

    def pass_time(self, seconds: float) -> None:
        """Let the clock run, tick by tick."""
        for _ in range(int(seconds)):
            self.clock.advance(1)


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    for client in bench.clients:
        if client.connection in bench.front.connections:
            client.leave()
    assert bench.clock.getDelayedCalls() == []


@pytest.fixture
def lines():
    """What is logged meanwhile, as text."""
    lines = []

    def observe(event):
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


class Real:
    """A front end on real sockets of this machine."""

    def __init__(self, folder):
        self.pool = FakePool()
        self.folder = folder
        self.front = None
        self.port = None
        self.clients = []

    async def serve(self, endpoint="tcp:0:interface=127.0.0.1", site=None, **limits):
        config = FrontEndConfig(
            limits=replace(HttpLimits(), **limits), spool_dir=str(self.folder)
        )
        self.front = FrontEnd(
            self.pool, [site or Site("shop")], config, reactor, AccessLog("off"), b"id"
        )
        self.port = await serverFromString(reactor, endpoint).listen(self.front)

    def answers(self, head=b"200 OK\r\n", body=b"hello"):
        self.pool._answer = lambda session: session.responder.answer(head, body)

    async def connect(self, to=None, protocol=RealClient) -> RealClient:
        """
        :param to: another endpoint than the port's, or its description.
        """
        to = to or f"tcp:127.0.0.1:{self.port.getHost().port}"
        endpoint = clientFromString(reactor, to) if isinstance(to, str) else to
        client = await endpoint.connect(Factory.forProtocol(protocol))
        self.clients.append(client)
        return client

    async def stop(self):
        if self.port is not None:
            await self.port.stopListening()
        for client in self.clients:
            if client.lost is None:
                client.transport.abortConnection()
                await client.until_closed()
        if self.front is not None:
            await self.front.drain()


@pytest.fixture
def real(tmp_path):
    real = Real(tmp_path)
    yield real
    pytest_twisted.blockon(ensureDeferred(real.stop()))
