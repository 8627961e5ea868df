"""Known ways to smuggle a request past a server, each with a marker request.

Runs in: tests.

Whatever a server makes of an attack, a request for ``/marker/...`` must not reach
an app: it stands where only a reader who was deceived sees a request.  CONTROLS are
what looks alike and is legitimate; there the marker must be seen.

The names are those of the literature (CL.TE: who stands in front reads
Content-Length, who stands behind Transfer-Encoding).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

END = b"0\r\n\r\n"
# What the app writes down is this folder's, and is read again by the tests.
RECORDER = """
from pathlib import Path

SEEN = Path(__file__).with_name("seen")


def application(environ, start_response):
    body = environ["wsgi.input"].read()
    path = environ["PATH_INFO"].encode("unicode_escape").decode()
    line = "%s %s %s %d\\n" % (
        environ["REQUEST_METHOD"], environ.get("HTTP_HOST", "-"), path, len(body)
    )
    with SEEN.open("ab", buffering=0) as file:
        file.write(line.encode())
    answer = b"seen\\n"
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]
"""
# The same for a worker that speaks HTTP, and reads it as simply as can be.
TALKING_RECORDER = """
from pathlib import Path

SEEN = Path(__file__).with_name("seen")


async def application(method, target, headers, body):
    line = "%s %s %s %d\\n" % (method, headers["host"], target, len(body))
    with SEEN.open("ab", buffering=0) as file:
        file.write(line.encode())
    return 200, b"seen\\n"
"""


@dataclass(frozen=True)
class Attack:
    """What is sent on one connection.

    :ivar name: also in the path of its first request, and of its marker.
    :ivar pieces: as they are sent, with a while between them.
    :ivar status: of the first final response.
    :ivar reaches: lines that the app writes, as RECORDER does.
    :ivar breaks_off: the client sends nothing more, and says so.
    """

    name: str
    pieces: tuple[bytes, ...]
    status: int
    reaches: tuple[str, ...] = ()
    breaks_off: bool = False

    @property
    def sent(self) -> bytes:
        return b"".join(self.pieces)


def post(
    name: str, *headers: bytes, body: bytes = b"", version: bytes = b"1.1"
) -> bytes:
    """A POST for ``/attack/NAME``."""
    line = b"POST /attack/%b HTTP/%b" % (name.encode(), version)
    return b"\r\n".join((line, b"Host: a", *headers, b"", body))


def marker(name: str) -> bytes:
    """The request that nobody may see."""
    return b"GET /marker/%b HTTP/1.1\r\nHost: a\r\n\r\n" % name.encode()


def shift(name: str, status: int, *headers: bytes, body: bytes = END) -> Attack:
    """An attack by *headers*, with the marker behind what would be the body."""
    return Attack(name, (post(name, *headers, body=body + marker(name)),), status)


CHUNKED = b"Transfer-Encoding: chunked"


def lengths_and_codings() -> Iterator[Attack]:
    inner = END + marker("cl-te")
    length = b"Content-Length: %d" % len(inner)
    yield shift("cl-te", 400, length, CHUNKED)
    yield shift("te-cl", 400, CHUNKED, b"Content-Length: 4", body=b"5c\r\n")
    yield shift("cl-zero-te", 400, b"Content-Length: 0", CHUNKED)
    yield shift("te-cl-later", 400, CHUNKED, b"X: y", b"content-length: 5")
    yield shift("cl-te-tab", 400, length, b"Transfer-Encoding:\tchunked")
    yield shift("cl-te-lower", 400, length, b"transfer-encoding: chunked")
    for number, line in enumerate(
        (
            b"Transfer-Encoding: xchunked",
            b"Transfer-Encoding: x, chunked",
            b"Transfer-Encoding: chunked, identity",
            b"Transfer-Encoding: identity, chunked",
            b"Transfer-Encoding: chunked, cow",
            b"Transfer-Encoding: identity",
            b"Transfer-Encoding: gzip, chunked",
            b'Transfer-Encoding: "chunked"',
            b"Transfer-Encoding: 'chunked'",
            b"Transfer-Encoding: chunked;q=0",
            b"Transfer-Encoding: chunked,",
            b"Transfer-Encoding: ,chunked",
            b"Transfer-Encoding: chunk",
            b"Transfer-Encoding:",
            b"Transfer-Encoding: \x0bchunked",
            b"Transfer-Encoding: \x00chunked",
            b"Transfer-Encoding: chunked\x0c",
            b"Transfer-Encoding: chunked\xa0",
            b"Transfer-Encoding: \xefchunked",
            b"Transfer-Encoding: chunked\r\n: x",
            b"Transfer-Encoding : chunked",
            b"Transfer-Encoding\t: chunked",
            b"Transfer-Encoding\x0b: chunked",
            b" Transfer-Encoding: chunked",
            b"X: y\r\n Transfer-Encoding: chunked",
            b"Transfer-Encoding:\r\n chunked",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow",
            b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            b"X: y\nTransfer-Encoding: chunked",
            b"X: y\rTransfer-Encoding: chunked",
            b"Transfer-Encoding: chunked\n",
            b"Transfer-Encoding\r\n: chunked",
            b"Transfer Encoding: chunked",
            b"Transfer-Encoding chunked",
        )
    ):
        name = f"te-te-{number}"
        unknown = number in (0, 1, 3, 5, 6, 8, 12, 27)
        yield shift(name, 501 if unknown else 400, line)
        name = f"cl-te-te-{number}"
        yield shift(name, 400, b"Content-Length: 5", line)
    for number, value in enumerate(
        (
            b"+5",
            b"-5",
            b"0x5",
            b"5,5",
            b"5, 6",
            b"5 5",
            b"5_0",
            b"0_5",
            b"5;",
            b"5\x0b",
            b"\x0b5",
            b"5\x00",
            b"",
            b"\xb2",
            b"5e0",
            b"5.0",
            b'"5"',
            b"0b101",
            b"5\r\nContent-Length: 6",
            b"5\r\nContent-Length: 5",
            b"5\r\ncontent-length: 0",
            b"\r\n 5",
            b"5\nX: y",
        )
    ):
        yield shift(f"cl-{number}", 400, b"Content-Length: " + value, body=b"hello")
    yield shift("cl-space", 400, b"Content-Length : 5", body=b"hello")
    yield shift("cl-huge", 413, b"Content-Length: " + b"9" * 30, body=b"hello")
    yield shift("cl-2-64", 413, b"Content-Length: 18446744073709551621", body=b"hello")
    yield shift("cl-2-32", 413, b"Content-Length: 4294967301", body=b"hello")
    name = "te-1.0"
    yield Attack(
        name,
        (
            post(
                name,
                b"Connection: keep-alive",
                CHUNKED,
                body=END + marker(name),
                version=b"1.0",
            ),
        ),
        400,
    )


def chunks() -> Iterator[Attack]:
    for number, body in enumerate(
        (
            b"+0\r\n\r\n",
            b"-0\r\n\r\n",
            b"0x0\r\n\r\n",
            b"0_0\r\n\r\n",
            b" 0\r\n\r\n",
            b"0 \r\n\r\n",
            b"\t0\r\n\r\n",
            b"00000000000000000\r\n\r\n",
            b"\r\n\r\n",
            b"0\n\n",
            b"0\r\n\n",
            b"0\n\r\n",
            b"0\r\r\n\r\n",
            b"0;\r\n\r\n",
            b"0;a\n\r\n\r\n",
            b"0;a\nb\r\n\r\n",
            b'0;a="\r\n\r\n"\r\n\r\n',
            b'0;a="b\r\n\r\n',
            b"0;a=\x00\r\n\r\n",
            b"0;\r\n;a\r\n\r\n",
            b"5\r\nhello0\r\n\r\n",
            b"5\r\nhelloo\r\n0\r\n\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5\r\nhello\r0\r\n\r\n",
            b"5\r\nhelloXX0\r\n\r\n",
            b"5\nhello\r\n0\r\n\r\n",
            b"2\r\nhello\r\n0\r\n\r\n",
            b"0\r\nX : y\r\n\r\n",
            b"0\r\nX: y\nZ: y\r\n\r\n",
            b"0\r\n folded\r\n\r\n",
            b"0\r\nno colon\r\n\r\n",
            b"0\r\nX: a\x00\r\n\r\n",
        )
    ):
        yield shift(f"chunk-{number}", 400, CHUNKED, body=body)
    for name, size in (
        ("chunk-2-64", b"10000000000000000"),
        ("chunk-2-64-and-5", b"10000000000000005"),
        ("chunk-2-32-and-0", b"100000000"),
        ("chunk-max", b"ffffffffffffffff"),
    ):
        status = 400 if len(size) > 16 else 413
        yield shift(name, status, CHUNKED, body=size + b"\r\n")
    yield shift("chunk-ext-long", 400, CHUNKED, body=b"0;" + b"a" * 2000 + b"\r\n\r\n")
    yield shift(
        "trailers-long", 431, CHUNKED, body=b"0\r\nX: %b\r\n\r\n" % (b"a" * 9000)
    )


def heads() -> Iterator[Attack]:
    for number, head in enumerate(
        (
            b"GET /attack/%b HTTP/1.1\nHost: a\n\n",
            b"GET /attack/%b HTTP/1.1\r\nHost: a\r\n\n",
            b"GET /attack/%b HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
            b"GET /attack/%b HTTP/1.1\rHost: a\r\n\r\n",
            b"GET /attack/%b HTTP/1.1\r\nHost: a\r\r\n\r\n",
            b"GET /attack/%b\r\nHost: a\r\n\r\n",
            b"GET /attack/%b\r\n\r\n",
            b"GET /attack/%b HTTP/0.9\r\n\r\n",
            b"GET /attack/%b HTTP/1.1 \r\nHost: a\r\n\r\n",
            b"GET  /attack/%b HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET\t/attack/%b HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /attack/%b x HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /attack/%b\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /attack/%b#x HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /attack/%b HTTP/1.1\r\n\r\n",
            b"GET /attack/%b HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            b"GET /attack/%b HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            b"GET /attack/%b HTTP/1.1\r\nHost: a, b\r\n\r\n",
            b"GET /attack/%b HTTP/1.1\r\nHost : a\r\n\r\n",
            b"GET /attack/%b HTTP/1.1\r\n Host: a\r\n\r\n",
            b"GET /attack/%b HTTP/1.1\r\nHost: a\r\n X: y\r\n\r\n",
            b"GET /attack/%b HTTP/1.1\r\nHost: a@b\r\n\r\n",
            b"GET /attack/%b HTTP/1.1\r\nHost: a/b\r\n\r\n",
            b"GET /attack/%b HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
            b"GET /attack/%b HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n",
            b"GET http://a@b/attack/%b HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET a:80/attack/%b HTTP/1.1\r\nHost: a\r\n\r\n",
            b"\r\n\r\nGET /attack/%b HTTP/1.1\r\nHost: a\r\n\r\n",
            b"\nGET /attack/%b HTTP/1.1\r\nHost: a\r\n\r\n",
            b"G\x00T /attack/%b HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /attack/%b HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
            b"GET /attack/%b HTTP/1.1\r\nHost: a\r\nX: y\x0b\r\n\r\n",
        )
    ):
        name = f"head-{number}"
        yield Attack(name, (head % name.encode() + marker(name),), 400)
    for name, line, status in (
        ("connect", b"CONNECT a:80 HTTP/1.1", 501),
        ("connect-path", b"CONNECT /attack HTTP/1.1", 501),
        ("version-2", b"GET /attack/version-2 HTTP/2.0", 505),
        ("preface", b"PRI * HTTP/2.0", 505),
        ("long-target", b"GET /attack/" + b"x" * 9000 + b" HTTP/1.1", 414),
    ):
        yield Attack(name, (line + b"\r\nHost: a\r\n\r\n" + marker(name),), status)
    get = b"GET /attack/many HTTP/1.1\r\nHost: a\r\n"
    yield Attack("many", (get + b"X: y\r\n" * 200 + b"\r\n" + marker("many"),), 431)
    yield Attack(
        "large", (get + b"X: %b\r\n\r\n" % (b"y" * 9000) + marker("large"),), 431
    )
    yield shift("expect", 417, b"Expect: 100-smuggle", b"Content-Length: 5")
    yield shift(
        "expect-list", 417, b"Expect: 100-continue, 100-continue", b"Content-Length: 5"
    )


def bodies() -> Iterator[Attack]:
    """The marker is a body, or a part of one, and reaches the app as that."""
    for name, headers in (
        ("in-body", ()),
        ("in-body-of-upgrade", (b"Connection: Upgrade", b"Upgrade: websocket")),
        ("in-body-of-h2c", (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c")),
        ("in-body-of-override", (b"X-HTTP-Method-Override: GET",)),
        ("in-body-unnamed", (b"Connection: Content-Length",)),
        ("in-body-of-zeros", (b"Connection: keep-alive",)),
        ("in-body-underscore", (b"Transfer_Encoding: chunked", b"Content_Length: 0")),
        ("in-body-of-te", (b"TE: chunked", b"Trailer: Content-Length")),
    ):
        inner = marker(name)
        digits = b"00%d" if "zeros" in name else b"%d"
        length = b"Content-Length: " + digits % len(inner)
        reaches = f"POST a /attack/{name} {len(inner)}"
        yield Attack(name, (post(name, length, *headers, body=inner),), 200, (reaches,))
        yield Attack(
            f"{name}-apart",
            (post(name, length, *headers), inner[:20], inner[20:]),
            200,
            (reaches,),
        )
    name = "in-body-of-get"
    inner = marker(name)
    get = b"GET /attack/%b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b"
    yield Attack(
        name,
        (get % (name.encode(), len(inner), inner),),
        200,
        (f"GET a /attack/{name} {len(inner)}",),
    )
    name = "in-chunk"
    inner = marker(name)
    encoded = b"%x\r\n%b\r\n%b" % (len(inner), inner, END)
    reaches = f"POST a /attack/{name} {len(inner)}"
    yield Attack(name, (post(name, CHUNKED, body=encoded),), 200, (reaches,))
    yield Attack(
        "in-chunk-apart",
        (
            post(name, CHUNKED),
            *(encoded[at : at + 7] for at in range(0, len(encoded), 7)),
        ),
        200,
        (reaches,),
    )
    name = "in-trailer"
    yield Attack(
        name,
        (post(name, CHUNKED, body=b"0\r\nContent-Length: 40\r\nHost: evil\r\n\r\n"),),
        200,
        (f"POST a /attack/{name} 0",),
    )
    name = "expect-body"
    inner = marker(name)
    length = b"Content-Length: %d" % len(inner)
    yield Attack(
        name,
        (post(name, b"Expect: 100-continue", length), inner),
        200,
        (f"POST a /attack/{name} {len(inner)}",),
    )
    for name, version, headers in (
        ("last", b"1.1", (b"Connection: close, TE",)),
        ("last-1.0", b"1.0", ()),
        # Not granted, and nothing behind it is taken for a request.
        ("last-upgrade", b"1.1", (b"Connection: Upgrade", b"Upgrade: websocket")),
    ):
        yield Attack(
            name,
            (post(name, *headers, version=version) + marker(name),),
            200,
            (f"POST a /attack/{name} 0",),
        )


def halves() -> Iterator[Attack]:
    """Bodies that break off: nothing reaches the app."""
    for number, (headers, body) in enumerate(
        (
            ((b"Content-Length: 500",), b""),
            ((b"Content-Length: 500",), b"hello"),
            ((CHUNKED,), b""),
            ((CHUNKED,), b"fff\r\n"),
            ((CHUNKED,), b"0\r\n"),
            ((CHUNKED,), b"0\r\nX: y\r\n"),
        )
    ):
        name = f"half-{number}"
        # Where a chunk's size is due, a request is none.
        rest = marker(name) if number in (0, 1, 3) else b""
        sent = post(name, *headers, body=body + rest)
        yield Attack(name, (sent,), 400, breaks_off=True)
    name = "half-end"
    # What would be the request line is a trailer, and none at that.
    yield Attack(name, (post(name, CHUNKED, body=b"0\r\n" + marker(name)),), 400)


def controls() -> Iterator[Attack]:
    """Two requests, one behind the other, as anybody may send them."""
    for name, first in (
        ("get", b"GET /attack/get HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("length", post("length", b"Content-Length: 5", body=b"hello")),
        ("chunks", post("chunks", CHUNKED, body=b"5\r\nhello\r\n" + END)),
        ("ext", post("ext", CHUNKED, body=b'5;a="0"\r\nhello\r\n' + END)),
        ("trailer", post("trailer", CHUNKED, body=b"5\r\nhello\r\n0\r\nX: y\r\n\r\n")),
        ("zero", post("zero", b"Content-Length: 0")),
        ("line", post("line", b"Content-Length: 5", body=b"hello\r\n")),
        ("h2c", post("h2c", b"Connection: Upgrade", b"Upgrade: h2c")),
        (
            "1.0",
            post("1.0", b"Connection: keep-alive", version=b"1.0"),
        ),
    ):
        method = "GET" if name == "get" else "POST"
        size = 5 if b"hello" in first else 0
        yield Attack(
            f"control-{name}",
            (first + marker(f"control-{name}"),),
            200,
            (f"{method} a /attack/{name} {size}", f"GET a /marker/control-{name} 0"),
        )


ATTACKS = [
    *lengths_and_codings(),
    *chunks(),
    *heads(),
    *bodies(),
    *halves(),
]
CONTROLS = [*controls()]
