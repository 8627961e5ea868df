"""Bodies that are larger than the memory that a server may have for them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.integration.sites import Site, serve
from tests.storms.sizes import LARGE, SIZE

pytestmark = pytest.mark.timeout(SIZE.timeout)

BYTES = 1 << 30 if SIZE is LARGE else 64 << 20
# Each piece of the body is this; the probe's too.
BLOCK = (b"".join(b"%08d" % number for number in range(0, 80_000, 8)) * 14)[: 1 << 20]
# What processes may take more than before: buffers, and a little for chance.
GROWTH = 16 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The probe, which gets requests whole, and another below /streamed."""
    folder = tmp_path_factory.mktemp("large")
    keys = {"max_body": BYTES, "max_instances": 1}
    whole = Site(folder, "whole", **keys)
    streamed = Site(
        folder, "streamed", base_uri="/streamed", buffer_requests=False, **keys
    )
    with serve(folder, whole, streamed) as running:
        for path in ("/", "/streamed/"):
            assert running.get(path).status == 200
        yield running


class Memory:
    """How much more than at first the server's processes have ever taken."""

    def __init__(self, server):
        self._pids = server.processes()
        for pid in self._pids:
            # The largest so far is forgotten.
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        self._before = self._peaks()

    def _peaks(self):
        peaks = {}
        for pid in self._pids:
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    peaks[pid] = int(line.split()[1]) << 10
        return peaks

    def growth(self):
        """Of the process that has grown most, in bytes."""
        now = self._peaks()
        return max(now[pid] - self._before[pid] for pid in self._pids)


def digest():
    """SHA-256 of the body."""
    found = hashlib.sha256()
    for _ in range(BYTES // len(BLOCK)):
        found.update(BLOCK)
    return found.hexdigest()


def receive(client):
    """SHA-256 and size of the body that comes, up to the connection's end."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = client.recv(65536)
        assert piece, head
        head += piece
    assert head.startswith(b"HTTP/1.1 200 OK\r\n"), head
    found, size = hashlib.sha256(), 0
    # The head may come alone.
    data = head.partition(b"\r\n\r\n")[2] or client.recv(1 << 18)
    while data:
        found.update(data)
        size += len(data)
        data = client.recv(1 << 18)
    return found.hexdigest(), size


@pytest.mark.parametrize("prefix", ["", "/streamed"], ids=["whole", "streamed"])
def test_a_large_upload_arrives_unchanged_and_fills_no_memory(server, prefix):
    """Through a file, or as it comes."""
    told = f"{BYTES} {digest()}".encode()
    memory = Memory(server)
    with server.connect() as client:
        head = f"POST {prefix}/digest HTTP/1.0\r\nContent-Length: {BYTES}\r\n\r\n"
        client.sendall(head.encode())
        for _ in range(BYTES // len(BLOCK)):
            client.sendall(BLOCK)
        assert receive(client) == (hashlib.sha256(told).hexdigest(), len(told))
    growth = memory.growth()
    print(f"{BYTES >> 20} MiB up{prefix}: {growth / (1 << 20):.1f} MiB more")
    assert growth < GROWTH


def test_a_large_response_arrives_unchanged_and_fills_no_memory(server):
    """Its client reads as fast as it can, which is slower than the app."""
    memory = Memory(server)
    with server.connect() as client:
        client.sendall(f"GET /flood?size={BYTES} HTTP/1.0\r\n\r\n".encode())
        assert receive(client) == (digest(), BYTES)
    growth = memory.growth()
    print(f"{BYTES >> 20} MiB down: {growth / (1 << 20):.1f} MiB more")
    assert growth < GROWTH
