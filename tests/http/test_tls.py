"""The front end behind TLS, where nothing may be written past the encryption."""

from __future__ import annotations

import datetime

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from zope.interface import implementer

from passtwist.api.interfaces import ITunnelEnd
from passtwist.http.config import Site

x509 = pytest.importorskip("cryptography.x509", reason="needs passtwist[tls]")
pytest.importorskip("OpenSSL", reason="needs passtwist[tls]")

# Twisted itself passes what newer versions of pyOpenSSL call deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Path of a file with a key and a certificate for ``localhost``."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    pem = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(
            pem,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(pem)
    )
    return path


@pytest.fixture
def connect(real, certificate):
    """Serve over TLS and connect to it, with the certificate checked."""
    from twisted.internet.ssl import Certificate, optionsForClientTLS

    async def connect(**limits):
        await real.serve(
            f"ssl:0:interface=127.0.0.1:privateKey={certificate}:certKey={certificate}",
            **limits,
        )
        root = Certificate.loadPEM(certificate.read_bytes())
        plain = TCP4ClientEndpoint(reactor, "127.0.0.1", real.port.getHost().port)
        options = optionsForClientTLS("localhost", trustRoot=root)
        return await real.connect(wrapClientTLS(options, plain))

    return connect


@pytest_twisted.ensureDeferred
async def test_the_app_is_told_that_it_is_https(real, connect):
    """Scheme and HTTPS; a client that sees the response got it encrypted."""
    real.answers()
    client = await connect()
    client.send(GET)
    await client.until_ends_with(b"hello")
    environ = real.pool.last.environ
    assert (environ["wsgi.url_scheme"], environ["HTTPS"]) == ("https", "on")


@pytest_twisted.ensureDeferred
async def test_a_slow_reader_holds_no_worker_over_tls(real, connect):
    """The transport's own buffer pauses us; then memory and file are used."""
    body = bytes(range(256)) * 40_000
    real.answers()
    client = await connect(response_memory=10_000)
    client.send(GET)
    await client.until_ends_with(b"hello")
    client.data.clear()
    real.answers(body=body)
    client.transport.pauseProducing()
    client.send(GET)
    while len(real.pool.sessions) < 2:
        await turn()
    assert real.pool.last.calls == []
    client.transport.resumeProducing()
    whole = len(body) + len(b"\r\n\r\n")
    await client.until(
        lambda client: len(client.data) - client.data.find(b"\r\n\r\n") == whole
    )
    assert client.data.partition(b"\r\n\r\n")[2] == body


@pytest_twisted.ensureDeferred
async def test_a_connection_ends_with_a_goodbye_over_tls(real, connect):
    """The client knows that nothing was cut off."""
    real.answers()
    client = await connect()
    client.send(b"GET / HTTP/1.0\r\n\r\n")
    data = await client.until_closed()
    assert data.endswith(b"hello")
    assert type(client.lost).__name__ == "ConnectionDone"


@pytest_twisted.ensureDeferred
async def test_a_refused_upload_gets_its_error_over_tls(real, connect):
    """The client reads it though it goes on sending."""
    client = await connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n")
    for _ in range(20):
        client.send(b"x" * 10_000)
        await turn()
    data = await client.until_closed()
    assert data.startswith(b"HTTP/1.1 413 Content Too Large\r\n")
    assert data.endswith(b"</html>\n")


@pytest_twisted.ensureDeferred
async def test_who_begins_no_handshake_is_sent_away(real, certificate):
    """The deadline of heads holds from the beginning."""
    await real.serve(
        f"ssl:0:interface=127.0.0.1:privateKey={certificate}:certKey={certificate}",
        header_deadline=0.0,
        linger=0.0,
    )
    client = await real.connect()
    assert await client.until_closed() == b""


@pytest_twisted.ensureDeferred
async def test_a_refused_client_that_sends_on_for_ever_is_left_over_tls(real, connect):
    """When enough of it was thrown away; its goodbye would be behind all of it."""
    client = await connect(linger=1000.0, linger_bytes=100_000)
    real.answers()
    client.send(GET)
    await client.until_ends_with(b"hello")
    client.transport.pauseProducing()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n")
    while real.front.connections:
        client.send(b"x" * 10_000)
        await turn()
    client.transport.resumeProducing()
    await client.until_closed()
    assert real.front.counters.refused == 1


async def turn():
    """Let the reactor run once."""
    from twisted.internet import task

    await task.deferLater(reactor, 0)


@pytest_twisted.ensureDeferred
async def test_a_large_file_goes_through_the_encryption(connect, tmp_path):
    """At the client's pace, to its end."""
    content = bytes(range(256)) * (8 << 12)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "big").write_bytes(content)
    site = Site("shop", root=str(tmp_path), static=(("/s", "files"),))
    client = await connect(site=site)
    client.send(b"GET /s/big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    for size in (1 << 20, 2 << 20):
        await client.until(lambda c, size=size: len(c.data) > size)
        client.transport.pauseProducing()
        client.transport.resumeProducing()
    answer = await client.until_closed()
    assert answer.partition(b"\r\n\r\n")[2] == content


@implementer(ITunnelEnd)
class Worker:
    """A worker's end; notes what it is told."""

    def __init__(self):
        self.received = bytearray()
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


@pytest_twisted.ensureDeferred
async def test_a_tunnel_goes_through_tls(real, connect):
    """All bytes both ways; a client that does not read holds the worker."""
    client = await connect()
    client.send(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\nearly"
    )
    while not real.pool.sessions:
        await turn()
    worker = Worker()
    near = real.pool.last.responder.upgrade(
        b"101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\n", worker
    )
    client.transport.pauseProducing()
    noise, turns_held = b"", 0
    while turns_held < 50:  # until the kernel's buffers are full, too
        turns_held += 1
        if worker.told[-1:] != ["pause"]:
            piece = b"%09d " % len(noise) * 10_000
            near.send(piece)
            noise += piece
            turns_held = 0
        await turn()
    client.transport.resumeProducing()
    await client.until(lambda client: client.data.endswith(noise))
    while worker.told[-1] == "pause":
        await turn()
    assert worker.told == ["pause", "resume"] * (len(worker.told) // 2)
    client.send(noise)
    while len(worker.received) < 5 + len(noise):
        await turn()
    assert worker.received == b"early" + noise
    near.send(b"goodbye")
    near.end()
    data = await client.until_closed()
    assert data.endswith(noise + b"goodbye")
    assert worker.told[-1] == "close"
    assert type(client.lost).__name__ == "ConnectionDone"
