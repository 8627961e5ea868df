"""Nearly valid requests: what we accept, h11 reads in the same way.

h11 accepts more (line feeds alone, folded lines, equal lengths twice), which
the table of requirements overrides; the other direction would be a hole.
"""

from __future__ import annotations

import h11
import httptools
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from passtwist.http.access_log import AccessLog
from passtwist.http.body import BodyReader
from passtwist.http.config import FrontEndConfig, HttpLimits, Site
from passtwist.http.front import FrontEnd
from passtwist.http.refusal import Refusal
from passtwist.http.scanner import HeadScanner
from passtwist.testing.fakes import FakePool

LIMITS = HttpLimits()

GOOD_LINES = st.sampled_from(
    [
        b"GET / HTTP/1.1",
        b"POST /a?b HTTP/1.1",
        b"POST /a%20b HTTP/1.0",
        b"POST /s HTTP/1.2",
        b"HEAD http://b/x HTTP/1.1",
        b"get /x HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
    ]
)
BAD_LINES = st.sampled_from([b"GET  / HTTP/1.1", b"GET / HTTP/1.1 ", b"GET / HTTP/2.0"])
GOOD_HEADERS = st.sampled_from(
    [
        b"Accept: */*",
        b"Connection: close",
        b"Connection: keep-alive, x",
        b"X-A: \xe9",
        b"Expect: 100-continue",
        b"X:",
        b"Cookie: a=b",
        b"cookie:c=d",
        b"X-A: \t b c \t",
    ]
)
BAD_HEADERS = st.sampled_from(
    [
        b"Host: a",
        b"Content-Length: 5",
        b"Content-Length: +5",
        b"Content-Length: 5, 5",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
        b" folded",
        b"Transfer-Encoding : chunked",
        b"X_A: b",
    ]
)
LENGTHS = st.sampled_from(
    [b"Content-Length: 5", b"content-length:05", b"Content-Length: 5 \t"]
)
CODINGS = st.sampled_from(
    [b"Transfer-Encoding: chunked", b"transfer-encoding:Chunked "]
)
CHUNKED = st.sampled_from(
    [
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5;x\r\nhel\r\n\r\n0\r\nA: b\r\n\r\n",
        b"02;a=b\r\nhe\r\n3\r\nllo\r\n000\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhell",
    ]
)
MUTATIONS = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from(b"\r\n\0 \t:,;x5\x7f\xff")),
    min_size=1,
    max_size=2,
)


@st.composite
def requests(draw) -> bytes:
    """A request that is right; three in four are wrong in one respect."""
    wrong = draw(st.integers(0, 7))
    lines = [draw(BAD_LINES if wrong == 1 else GOOD_LINES)]
    headers = [b"Host: a", *draw(st.lists(GOOD_HEADERS, max_size=3))]
    body = b""
    framing = draw(st.integers(0, 2))
    if framing == 1:
        headers.append(draw(LENGTHS))
        body = b"hello"
    elif framing == 2:
        headers.append(draw(CODINGS))
        body = draw(CHUNKED)
    if wrong == 2:
        headers.append(draw(BAD_HEADERS))
    lines += draw(st.permutations(headers))
    data = bytearray(b"\r\n".join([*lines, b"", b""]) + body)
    if wrong > 3:
        for place, byte in draw(MUTATIONS):
            data[place % len(data)] = byte
    elif wrong == 3:
        end = draw(st.integers(0, len(lines) - 1))
        data = bytearray(
            b"\n".join((b"\r\n".join(lines[: end + 1]), *lines[end + 1 :]))
        )
        data += b"\r\n\r\n" + body
    return bytes(data)


def ours(data: bytes):
    """Method, target, version and body as we read them; None if we do not."""
    try:
        head = HeadScanner(LIMITS).scan(data)
        if head is None:
            return None
        body = b""
        if head.chunked or head.content_length:
            reader = BodyReader(head, 0, LIMITS, "")
            reader.feed(data[head.end :])
            if not reader.finished:
                return None
            body, _ = reader.take()
    except Refusal:
        return None
    return head.line.method, head.line.target, head.keep_alive, body


def theirs(data: bytes):
    """The same, as h11 reads it."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    body = b""
    while type(event := connection.next_event()) is h11.Data:
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    # h11 lets no connection of HTTP/1.0 persist.
    kept = connection.our_state is not h11.MUST_CLOSE
    kept = kept and connection.their_state is not h11.MUST_CLOSE
    return request.method, request.target, kept, body


@given(requests())
def test_what_is_accepted_means_the_same_to_h11(data):
    """Method, target, persistence and every byte of the body."""
    mine = ours(data)
    if mine is not None:
        # h11 skips no empty line before a request; we forgive one.
        read = theirs(data.removeprefix(b"\r\n"))
        if b"HTTP/1.0" not in data:
            assert mine == read
        else:
            assert (*mine[:2], mine[3]) == (*read[:2], read[3])


@given(requests())
def test_what_is_accepted_has_the_headers_that_httptools_sees(data):
    """Names and values, for the headers that reach the app."""
    seen: dict[bytes, list[bytes]] = {}

    class Callbacks:
        def on_header(self, name: bytes, value: bytes) -> None:
            if not name.replace(b"-", b"").isalnum():
                return  # such a name reaches no app: X_A would pass for X-A
            key = b"HTTP_" + name.upper().replace(b"-", b"_")
            seen.setdefault(key, []).append(value.strip(b" \t"))

    if ours(data) is None:
        return
    head = HeadScanner(LIMITS).scan(data)
    assert head is not None
    # httptools knows neither all methods nor HTTP/1.2.
    fields = data[: head.end].removeprefix(b"\r\n").partition(b"\r\n")[2]
    parser = httptools.HttpRequestParser(Callbacks())
    parser.feed_data(b"GET / HTTP/1.1\r\n" + fields)
    for key, value in zip(head.pairs[::2], head.pairs[1::2], strict=True):
        if key != b"HTTP_HOST":
            separator = b"; " if key == b"HTTP_COOKIE" else b","
            assert separator.join(seen[key]) == value


@given(data=requests() | st.binary(max_size=120), cut=st.integers(0, 120))
def test_no_bytes_break_the_connection(data, cut):
    """There is no answer, the app's, or an error, and never an exception."""
    clock = Clock()
    pool = FakePool(lambda session: session.responder.answer(b"200 OK\r\n", b"ok"))
    front = FrontEnd(pool, [Site("a")], FrontEndConfig(), clock, AccessLog("off"))
    connection = front.buildProtocol(None)
    transport = StringTransport()
    connection.makeConnection(transport)
    connection.dataReceived(data[:cut])
    connection.dataReceived(data[cut:])
    for session in pool.sessions:
        assert session.environ["wsgi.url_scheme"] == "http"
    written = transport.value()
    assert written == b"" or written.startswith(b"HTTP/1.1 ")
    connection.connectionLost()
    assert clock.getDelayedCalls() == []
