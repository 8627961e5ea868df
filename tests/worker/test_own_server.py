"""What a framework's own server can say of itself."""

from __future__ import annotations

import os
import socket

import pytest

from passtwist.wire.journey import ReadyRecord, decode_record
from passtwist.worker.journal import Journal
from passtwist.worker.own_server import OwnServer


@pytest.fixture
def ends():
    """A server, and the controller's end of its handshake."""
    above, below = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    above.settimeout(5)
    with above, socket.socket(socket.AF_UNIX) as listener:
        journal = Journal("worker", below.detach())
        yield OwnServer(listener, 3, journal), above
        journal.close()


def test_it_is_ready_once_and_then_the_handshake_is_over(ends):
    """Names of protocols are compared in lower case."""
    server, above = ends
    server.ready(upgrades=["WebSocket", "x/1"])
    records = [decode_record(above.recv(65536)) for _ in range(2)]
    assert records[1] == ReadyRecord(os.getpid(), "http", 3, ("websocket", "x/1"))
    assert above.recv(65536) == b""
    with pytest.raises(RuntimeError, match="a second time"):
        server.ready()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"concurrency": -1}, "a concurrency of -1; it is from 1 to 10000"),
        ({"concurrency": 10**6}, "a concurrency of 1000000; it is from 1 to 10000"),
        ({"upgrades": "websocket"}, "upgrades is 'websocket'; it is a list of names"),
        ({"upgrades": ["h2c"]}, "no upgrade to 'h2c'"),
        ({"upgrades": ["TLS/1.2"]}, "no upgrade to 'tls/1.2'"),
        ({"upgrades": ["HTTP/2.0"]}, "no upgrade to 'http/2.0'"),
    ],
)
def test_what_makes_no_sense_is_refused(ends, arguments, reason):
    """And it may be said better afterwards."""
    server, _ = ends
    with pytest.raises(ValueError, match=reason):
        server.ready(**arguments)
    assert not server.is_ready
    server.ready()
    assert server.is_ready
