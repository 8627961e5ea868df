"""What is fuzzed: each takes any bytes and raises if something is not as it must be.

Runs in: tests, and `python -m tests.fuzz`.

The first byte of the input says where the rest is split; what comes of it must not
depend on that.
"""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING

import h11

from passtwist.errors import BadFrame, FrameTooLarge, PasstwistError
from passtwist.http.config import HttpLimits
from passtwist.http.files.accepted_codings import codings_for
from passtwist.http.files.conditions import Validators, outcome, part_of
from passtwist.http.files.paths import names_below, names_of
from passtwist.http.parsing.chunked import ChunkedDecoder
from passtwist.http.parsing.scanner import HeadScanner
from passtwist.http.refusal import Refusal
from passtwist.http.response_head import BadResponseHead, check_head, check_interim
from passtwist.http.trust import FORWARDED, X_FORWARDED, Trust
from passtwist.service.listening.proxy_header import (
    BadProxyHeader,
    ProxyHeader,
    read_header,
)
from passtwist.wire.control import MessageReader
from passtwist.wire.frames import MAX_SESSION_PAYLOAD, FrameReader
from passtwist.wire.http_requests import encode_request_head
from passtwist.wire.http_responses import BODY, END, UPGRADE, ResponseReader
from passtwist.wire.journey import decode_record, encode_record
from passtwist.wire.session import (
    decode_body_file,
    decode_ready,
    decode_request_start,
    encode_request_start,
)
from tests.http.oracle import MARKER, OurReader, is_foreign_to_h11, read_by_h11

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS = HttpLimits(
    max_request_line=200,
    max_header_fields=12,
    max_header_field=120,
    max_header_bytes=400,
    max_chunk_line=60,
    max_chunk_extensions=90,
    max_trailers=90,
)
# Which of several faults is told depends on which is seen first.
_BAD = (400, 414, 431)
_CONTROLS = frozenset(range(32)) - {9} | {127}


def halves(data: bytes) -> tuple[bytes, bytes, bytes]:
    """The input, and its two parts."""
    cut = data[0] if data else 0
    text = data[1:]
    return text, text[:cut], text[cut:]


def _told(status: int) -> int:
    return _BAD[0] if status in _BAD else status


def scanner(data: bytes) -> None:
    """The head scanner: no exception but a refusal, and clean variables."""
    text, first, _ = halves(data)

    def outcome(*stages: bytes) -> object:
        scan, searched, head = HeadScanner(LIMITS).scan, 0, None
        for stage in stages:
            try:
                head = scan(stage, searched)
            except Refusal as refusal:
                return _told(refusal.status)
            if head is not None:
                return {name: getattr(head, name) for name in head.__slots__}
            searched = len(stage)
        return None

    whole = outcome(text) if text else None
    assert outcome(*filter(None, (first, text))) == whole
    if isinstance(whole, dict):
        keys, values = whole["pairs"][::2], whole["pairs"][1::2]
        assert len(set(keys)) == len(keys) == len(values)
        assert not any(_CONTROLS & set(text) for text in (*keys, *values))
        assert 0 < whole["end"] <= len(text)
        assert b"\0" not in whole["line"].path
        assert not (whole["chunked"] and whole["content_length"] is not None)


_reader = OurReader()
_streaming = OurReader(streamed=True)


def connection(data: bytes) -> None:
    """A whole connection: one meaning, h11's, and nothing behind a refusal."""
    text, first, second = halves(data)
    reading = _reader.read(text + MARKER)
    again = _reader.read(first, second + MARKER)
    assert [*map(_told, again.statuses)] == [*map(_told, reading.statuses)]
    assert again[1:] == reading[1:]
    refused = [status for status in reading.statuses if status >= 400]
    assert refused in ([], [reading.statuses[-1]] if reading.statuses else [])
    assert not (refused and reading.open)
    assert len(reading.seen) == len(reading.statuses) - len(refused)
    if not is_foreign_to_h11(text):
        assert read_by_h11(text + MARKER)[: len(reading.seen)] == reading.seen


def streamed(data: bytes) -> None:
    """An app that gets bodies as they come is told what any other is."""
    text, first, second = halves(data)
    reading = _reader.read(text + MARKER)
    again = _streaming.read(first, second + MARKER)
    assert [*map(_told, again.statuses)] == [*map(_told, reading.statuses)]
    assert again[1:] == reading[1:]


def chunked(data: bytes) -> None:
    """The decoder of chunked bodies: the same in parts, and never too much."""
    text, first, second = halves(data)

    def outcome(*pieces: bytes) -> object:
        decoder, body, rest = ChunkedDecoder(LIMITS, 300), b"", b""
        for piece in pieces:
            if decoder.finished:
                rest += piece
                continue
            try:
                body += decoder.feed(piece)
            except Refusal as refusal:
                return _told(refusal.status)
        if not decoder.finished:
            return body
        return body, decoder.rest + rest

    whole = outcome(text)
    assert outcome(first, second) == whole
    assert outcome(*(text[at : at + 1] for at in range(len(text)))) == whole
    if isinstance(whole, tuple):
        body, rest = whole
        assert len(body) <= 300
        assert text.endswith(rest)


def response_head(data: bytes) -> None:
    """What an app may say: nothing that ends the head or a line of it."""
    _, status, rest = halves(data)
    block = b"%b\r\n%b" % (status, rest)
    for text in (data[1:], block, b"200 OK\r\n" + data[1:]):
        with suppress(BadResponseHead):
            head = check_head(text)
            assert head.block.endswith(b"\r\n")
            for line in head.block[:-2].split(b"\r\n"):
                assert line
                assert not _CONTROLS & set(line)
            again = check_head(head.block)
            assert (again.block, again.content_length) == (head.block, None)
        interim = check_interim(text)
        assert interim is None or interim.startswith(b"103 ")


def frames(data: bytes) -> None:
    """The frames of sessions and control messages, and what is in them."""
    text, first, second = halves(data)

    def outcome(*pieces: bytes) -> object:
        reader, found = FrameReader(MAX_SESSION_PAYLOAD), []
        try:
            for piece in pieces:
                found += reader.feed(piece)
        except FrameTooLarge:
            return "too large"
        return found, reader.pending

    assert outcome(first, second) == outcome(text)
    for decode in (decode_ready, decode_body_file):
        with suppress(BadFrame):
            decode(text)
    with suppress(BadFrame):
        number, environ = decode_request_start(text)
        pairs = [item.encode("latin-1") for pair in environ.items() for item in pair]
        start = encode_request_start(number, pairs)
        assert decode_request_start(start[6:]) == (number, environ)
    with suppress(PasstwistError):
        MessageReader().feed(text)


def journey(data: bytes) -> None:
    """The records by which a spawn is told: what is read can be written."""
    with suppress(BadFrame):
        record = decode_record(data[1:])
        assert decode_record(encode_record(record)) == record


_trusts = [
    Trust(["10.0.0.0/8", "unix"], hops, headers)
    for hops, headers in ((1, X_FORWARDED), (2, X_FORWARDED), (1, FORWARDED))
]
_FORWARDING = (
    b"HTTP_X_FORWARDED_FOR",
    b"HTTP_X_FORWARDED_PROTO",
    b"HTTP_X_FORWARDED_SSL",
    b"HTTP_FORWARDED",
    b"HTTP_X_REQUEST_ID",
    b"HTTP_X_REAL_IP",
    b"HTTP_X_FORWARDED_HOST",
    b"HTTP_X_FORWARDED_PORT",
    b"HTTP_X_FORWARDED_PREFIX",
)


def trust(data: bytes) -> None:
    """Forwarding headers: an address, a scheme and an id, or nothing."""
    # As the scanner leaves them: without control characters and outer white space.
    text = bytes(byte for byte in data[1:] if byte not in _CONTROLS)
    values = [value.strip(b" \t") for value in text.split(b"|")]
    first = data[0] if data else 0
    pairs: list[bytes] = []
    for number, value in enumerate(values[:6]):
        pairs += (_FORWARDING[(first + number) % len(_FORWARDING)], value)
    for one in _trusts:
        with suppress(Refusal):
            told = one.forwarded(pairs)
            if told.client is not None:
                assert one.trusts(told.client.decode("ascii")) in (True, False)
                assert b"%" not in told.client
            assert told.scheme in (None, b"http", b"https")
            assert told.request_id is None or told.request_id.isascii()
        one.trusts(text.decode("latin-1"))


def proxy_header(data: bytes) -> None:
    """The PROXY protocol: what is read early is what is read late."""
    text, first, _ = halves(data)

    def outcome(text: bytes) -> object:
        try:
            return read_header(text)
        except BadProxyHeader as error:
            assert str(error).isascii() and str(error).isprintable()
            return BadProxyHeader

    whole = outcome(text)
    assert outcome(first) in (None, whole)
    if isinstance(whole, ProxyHeader):
        assert 0 < whole.size <= len(text)
        for address in (whole.source, whole.destination):
            if address is not None:
                assert ip_address(address.host)
                assert 0 <= address.port <= 65535


def worker_request(data: bytes) -> None:
    """What a worker that speaks HTTP is sent is one request, and the client's."""
    _reader.read(data[1:])
    for session in _reader.pool.sessions:
        request, environ = session.request, session.environ
        head = encode_request_head(request.pairs, len(request.body))
        end = h11.Connection(h11.SERVER)
        end.receive_data(head + request.body + MARKER)
        read = end.next_event()
        assert isinstance(read, h11.Request)
        assert read.method == request.method
        assert read.target == environ["REQUEST_URI"].encode("latin-1")
        body = b""
        while isinstance(event := end.next_event(), h11.Data):
            body += event.data
        assert isinstance(event, h11.EndOfMessage)
        assert (body, end.trailing_data[0]) == (request.body, MARKER)


def worker_response(data: bytes) -> None:
    """What such a worker answers ends where h11 sees the end."""
    text, first, second = halves(data)
    head_only = text[:1] == b"h"
    upgrade = b"websocket" if text[:1] == b"u" else b""
    if head_only or upgrade:
        text, first = text[1:], first[1:]
        second = text[len(first) :]

    def outcome(*pieces: bytes) -> object:
        reader = ResponseReader(head_only, upgrade)
        heads, body, rest, over = [], b"", b"", False
        try:
            for piece in pieces:
                if over:
                    rest += piece
                    continue
                for kind, payload in reader.feed(piece):
                    if kind == BODY:
                        body += payload
                    elif kind == END:
                        over = True
                    else:
                        heads.append((kind, payload))
                        over = over or kind == UPGRADE
        except BadFrame:
            return BadFrame
        if over:
            return heads, body, reader.rest + rest, reader.is_reusable
        return heads, body

    whole = outcome(text)
    assert outcome(first, second) == whole
    if isinstance(whole, tuple) and len(whole) == 4 and not upgrade:
        heads, body, rest, _ = whole
        client = h11.Connection(h11.CLIENT)
        method = "HEAD" if head_only else "GET"
        client.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
        client.send(h11.EndOfMessage())
        client.receive_data(text)
        try:
            theirs = b""
            while not isinstance(event := client.next_event(), h11.EndOfMessage):
                if not isinstance(event, h11.Data | h11.Response):
                    assert isinstance(event, h11.InformationalResponse)
                theirs += event.data if isinstance(event, h11.Data) else b""
        except h11.RemoteProtocolError:
            return  # it refuses more, such as a trailer of Content-Length
        assert (theirs, client.trailing_data[0]) == (body, rest)
        assert heads


def files(data: bytes) -> None:
    """Paths lead down only, parts lie within the file, and nothing raises."""
    path, _, value = data[1:].partition(b"|")
    for names in (names_of(b"/" + path), names_below(path)):
        for name in names or ():
            assert name not in (b".", b"..")
            assert not {0, *b"/"} & set(name)
        assert names is None or b"" not in names[:-1]
    assert names_of(b"/" + path) in (None, path.split(b"/"))
    headers = {
        b"HTTP_RANGE": value,
        b"HTTP_IF_NONE_MATCH": path,
        b"HTTP_IF_MATCH": value,
        b"HTTP_IF_RANGE": path,
        b"HTTP_IF_MODIFIED_SINCE": value,
        b"HTTP_IF_UNMODIFIED_SINCE": path,
    }
    validators = Validators(b'"a"', b"Sun, 06 Nov 1994 08:49:37 GMT")
    for name in headers:
        assert outcome({name: headers[name]}, validators) in (200, 304, 412)
    assert outcome(headers, validators) in (200, 304, 412)
    for size in (0, 1, 10, 1 << 40):
        part = part_of({b"HTTP_RANGE": value}, validators, size)
        if part is not None:
            assert 0 <= part.start <= part.start + part.length <= size
            assert part.whole or part.length
    codings_for(value)


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        scanner,
        connection,
        streamed,
        chunked,
        response_head,
        frames,
        journey,
        trust,
        proxy_header,
        worker_request,
        worker_response,
        files,
    )
}
