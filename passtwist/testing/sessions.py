"""One session with a worker, without a pool and a front end.

Runs in: tests.  Blocks: the worker is another process and needs no reactor of
the test's to answer.
"""

from __future__ import annotations

import socket
from http.client import HTTPResponse
from typing import TYPE_CHECKING

from passtwist.testing.server import Response
from passtwist.testing.waiting import PATIENCE
from passtwist.wire import session
from passtwist.wire.frames import MAX_SESSION_PAYLOAD, FrameReader
from passtwist.wire.http_requests import encode_request_head
from passtwist.wire.journey import HTTP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from passtwist.api.interfaces import IWorker
    from passtwist.wire.frames import Frame


def ask(worker: IWorker, path: str = "/", number: int = 1) -> Response:
    """What *worker* answers to GET *path*, on a connection of its own.

    :param number: the request's number, for the worker's scoreboard.
    :raises AssertionError: the worker sent no whole response.
    :raises OSError: it accepts no connection, or sends nothing for long.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(worker.socket_path)
        if worker.protocol == HTTP:
            return _ask_in_http(connection, path)
        frames = _frames(connection)
        kind, _, _ = next(frames)
        assert kind == session.READY, f"frame {kind} came in place of READY"
        start = session.encode_request_start(number, _pairs(path), session.LAST)
        connection.sendall(start)
        return _response(frames)


def _ask_in_http(connection: socket.socket, path: str) -> Response:
    pairs = [*_pairs(path), b"REQUEST_URI", path.encode("latin-1")]
    connection.sendall(encode_request_head(pairs))
    answer = HTTPResponse(connection)
    answer.begin()
    return Response(answer.status, dict(answer.getheaders()), answer.read())


def _frames(connection: socket.socket) -> Iterator[Frame]:
    reader = FrameReader(MAX_SESSION_PAYLOAD, session.BODY)
    while data := connection.recv(65536):
        yield from reader.feed(data)
    raise AssertionError("the worker closed the connection within a session")


def _response(frames: Iterator[Frame]) -> Response:
    head, body = b"", b""
    for kind, flags, payload in frames:
        assert kind != session.FAIL, f"the worker failed: {payload!r}"
        if kind == session.START:
            head = payload
        elif kind == session.BODY:
            body += payload
        if kind == session.END or (kind != session.INTERIM and flags & session.LAST):
            break
    status, *lines = head.decode("latin-1").splitlines()
    headers = dict(line.split(": ", 1) for line in lines)
    return Response(int(status.split()[0]), headers, body)


def _pairs(path: str) -> list[bytes]:
    """CGI keys and values in turn, as the front end sends them."""
    path, _, query = path.partition("?")
    variables = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "wsgi.url_scheme": "http",
    }
    return [text.encode("latin-1") for pair in variables.items() for text in pair]
