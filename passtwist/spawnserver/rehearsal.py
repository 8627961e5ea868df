"""Run our own part of a spawn and of a request, before there is any.

Runs in: app spawners, once the app is loaded.

Since CPython 3.11 code changes itself while it runs for the first times.  What
has been run before the fork is changed once and shared; else each worker has
copies of its own, and the spawner makes others beneath it.
"""

from __future__ import annotations

import socket
from typing import Any, Callable, List

from passtwist.model import SpawnRequest
from passtwist.spawnserver.channel import Channel
from passtwist.wire.control import SpawnRequestReader, spawn_request_to_body
from passtwist.wire.scoreboard import PAGE_SIZE
from passtwist.wire.session import LAST, encode_request_start
from passtwist.worker.journal import Journal
from passtwist.worker.serving import Server
from passtwist.worker.wsgi import WsgiHalf

# For about so many times code is changed (measured on 3.11 to 3.13).
TIMES = 10
REQUESTS = 2  # each time

_VARIABLES = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "HTTP_HOST": "localhost",
}


def rehearse(request: SpawnRequest) -> None:
    """Take *request*, tell of it, and answer visitors, all between ourselves.

    Nothing of the app is called.

    :raises OSError: out of descriptors or memory.
    """
    _take(request)
    for _ in range(TIMES):
        _tell()
        _answer()


def _take(request: SpawnRequest) -> None:
    one, other = socket.socketpair()
    above, below = Channel(one), Channel(other)
    requests = SpawnRequestReader()
    try:
        for _ in range(TIMES):
            above.send("spawn", spawn_request_to_body(request))
            for message, _ in below.receive() or ():
                requests.read(message.body)
    finally:
        above.close()
        below.close()


def _tell() -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with other:
        journal = Journal("rehearsal", one.detach())
        with journal.doing("rehearsal"):
            journal.started()
            journal.ready("", 1)
        journal.close()


def _answer() -> None:
    words = [word.encode() for pair in _VARIABLES.items() for word in pair]
    # Of packets: each read gets one request, though all of them lie there.
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other, socket.socket(socket.AF_UNIX) as listener:
        page = memoryview(bytearray(PAGE_SIZE)).cast("Q")
        server = Server(listener, page, WsgiHalf(_app, multithread=False), 1)
        for number in range(REQUESTS):
            one.sendall(encode_request_start(number, words, LAST))
        one.shutdown(socket.SHUT_WR)
        server.serve_connection(0, other)


def _app(environ: Any, start_response: Callable[..., Any]) -> List[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
