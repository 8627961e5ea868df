"""What fuzzing begins with: bytes that lead into every corner of a target.

Runs in: tests, and `python -m tests.fuzz`.

Seeds come from the tables of requirements and attacks; what a run has found beside
these, because it takes ways through the code that they do not, is kept in
``corpus/TARGET``, one Python literal a line.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from passtwist.wire.control import encode_message
from passtwist.wire.journey import encode_step
from passtwist.wire.session import (
    encode_body,
    encode_body_file,
    encode_ready,
    encode_request_start,
    encode_response_start,
)
from tests.http.requirements import CASES
from tests.integration.smuggling import ATTACKS, CONTROLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEPT = Path(__file__).with_name("corpus")
LONGEST = 600

RESPONSES = [
    b"200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n",
    b"200\r\nDate: x\r\nConnection: Set-Cookie, X-A\r\nSet-Cookie: a\r\nX-A: b\r\n",
    b"204 No Content\r\nTransfer-Encoding: chunked\r\nX-Request-Id: a\r\n",
    b"103 Early Hints\r\nLink: </a.css>\r\n",
    b"999 \xe9\r\nContent-Length: 1\r\nContent-Length: 2\r\nUpgrade: a\r\nTE: b\r\n",
    b"304 Not Modified\r\nKeep-Alive: 5\r\nProxy-X: 1\r\nTrailer: a\r\n",
]
FORWARDED = [
    b"203.0.113.9|https|on|for=192.0.2.60;proto=http;by=203.0.113.43|abc-1|10.0.0.1",
    b'[2001:db8::1]:80, 10.0.0.1|http|off|for="[2001:db8::1]:47", for=_x|%|a',
    b"::ffff:10.0.0.1%eth0, unknown, 10.0.0.1:8080|HTTPS, http|ON||x|y",
]

_V2 = b"\r\n\r\n\0\r\nQUIT\n"
PROXY = [
    b"PROXY TCP4 203.0.113.9 192.0.2.1 1234 8080\r\nGET /",
    b"PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 1 65535\r\n",
    b"PROXY UNKNOWN ffff:f 1\r\n",
    _V2 + b"\x21\x11\0\x0c" + bytes(range(12)) + b"GET /",
    _V2 + b"\x21\x11\0\x14" + bytes(12) + b"\x20\0\5\1\0\0\0\0",
    _V2 + b"\x21\x21\0\x24" + bytes(range(36)),
    _V2 + b"\x20\0\0\0",
    _V2 + b"\x21\x31\0\xd8" + bytes(216),
]

OF_WORKERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200\r\ntransfer-encoding:chunked\r\n\r\n1;a=b\r\nx\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nConnection: close, x\r\n\r\nuntil the end",
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 None\r\n\r\n",
    b"hHTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\n",
    b"uHTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\0",
]
FILES = [
    b"a/b.c|bytes=0-4",
    b".well-known/x|bytes=-5",
    b'W/"a", "b"|bytes=5-',
    b"*|Sun, 06 Nov 1994 08:49:37 GMT",
    b"Sunday, 06-Nov-94 08:49:37 GMT|br;q=0.5, gzip, *;q=0",
    b"a/../b|Sun Nov  6 08:49:37 1994",
]


def seeds(target: str) -> Iterator[bytes]:
    """Inputs that somebody wrote, each with a first byte that splits it."""
    return (b"%c%b" % (len(text) // 2 % 256, text) for text in _texts(target))


def _texts(target: str) -> Iterable[bytes]:
    if target in ("scanner", "connection", "streamed", "worker_request"):
        return [case.sent for case in CASES] + [
            one.sent for one in (*ATTACKS, *CONTROLS)
        ]
    if target == "chunked":
        return [
            case.sent.partition(b"\r\n\r\n")[2]
            for case in CASES
            if b"chunked" in case.sent
        ]
    if target == "response_head":
        return RESPONSES
    if target == "trust":
        return FORWARDED
    if target == "proxy_header":
        return PROXY
    if target == "worker_response":
        return OF_WORKERS
    if target == "files":
        return FILES
    if target == "journey":
        return [encode_step("worker", 1, "load_app", "done", 1.5)]
    start = encode_request_start(7, [b"REQUEST_METHOD", b"GET", b"A", b""])
    return [
        start + encode_body(b"hello", last=True),
        start[6:],
        encode_ready(0)[6:],
        encode_body_file(5)[6:],
        encode_response_start(RESPONSES[0])
        + encode_body(b"hello")
        + encode_body(b"", True),
        encode_message("retire", {"app": "shop", "below": 2}, ["output"]),
    ]


def kept(target: str) -> list[bytes]:
    """Inputs that earlier runs have found."""
    file = KEPT / target
    if not file.exists():
        return []
    return [ast.literal_eval(line) for line in file.read_text("ascii").splitlines()]


def keep(target: str, inputs: Iterable[bytes]) -> None:
    """Write *inputs* down for later runs, the shortest first."""
    KEPT.mkdir(exist_ok=True)
    lines = sorted({ascii(one) for one in inputs}, key=lambda line: (len(line), line))
    (KEPT / target).write_text("".join(line + "\n" for line in lines), "ascii")


def inputs(target: str) -> list[bytes]:
    """Seeds and what was kept, without those that are too long to be changed well."""
    found = dict.fromkeys((*seeds(target), *kept(target)))
    return [one for one in found if len(one) <= LONGEST]
