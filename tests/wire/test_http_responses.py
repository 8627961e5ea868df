"""Responses of workers that speak HTTP: where they end, and what is none."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from passtwist.errors import BadFrame
from passtwist.wire.http_responses import (
    BODY,
    END,
    HEAD,
    INTERIM,
    MAX_HEAD,
    UPGRADE,
    ResponseReader,
)

CHUNKED = b"Transfer-Encoding: chunked\r\n"


def joined(events):
    """With the pieces of the body as one, however it was cut."""
    body = b"".join(payload for kind, payload in events if kind == BODY)
    others = [event for event in events if event[0] != BODY]
    return others, body


def read(data, cuts=(), closed=False, **options):
    """What a reader makes of *data*, fed in pieces that end at *cuts*."""
    reader = ResponseReader(**options)
    events = []
    ends = [*sorted({cut for cut in cuts if 0 < cut < len(data)}), len(data)]
    begin = 0
    for end in ends:
        piece = data[begin:end]
        begin = end
        events += reader.feed(piece)
        if events and events[-1][0] in (END, UPGRADE):
            return reader, joined(events), reader.rest + data[end:]
    if closed:
        events += reader.end()
    return reader, joined(events), reader.rest


def response(head, body=b"", version=b"1.1"):
    return b"HTTP/%b %b%b" % (version, head, body)


# name: what is sent, options, then the head, the body, and whether another may follow
WHOLE = {
    "a length": (
        response(b"200 OK\r\nContent-Length: 5\r\n", b"\r\nhello"),
        {},
        b"200 OK\r\nContent-Length: 5\r\n",
        b"hello",
        True,
    ),
    "no length but 0": (
        response(b"404 Not Found\r\ncontent-length:  0 \r\nA: b\r\n", b"\r\n"),
        {},
        b"404 Not Found\r\ncontent-length:  0 \r\nA: b\r\n",
        b"",
        True,
    ),
    "chunks": (
        response(
            b"200 OK\r\n" + CHUNKED,
            b"\r\n5;a=b\r\nhello\r\n1 \r\n!\r\n000\r\nT: x\r\n\r\n",
        ),
        {},
        b"200 OK\r\n" + CHUNKED,
        b"hello!",
        True,
    ),
    "no reason": (
        response(b"204\r\n", b"\r\n"),
        {},
        b"204\r\n",
        b"",
        True,
    ),
    "a length that is of what GET would get": (
        response(b"200 OK\r\nContent-Length: 500\r\n", b"\r\n"),
        {"head_only": True},
        b"200 OK\r\nContent-Length: 500\r\n",
        b"",
        True,
    ),
    "304": (
        response(b"304 Not Modified\r\nContent-Length: 500\r\n", b"\r\n"),
        {},
        b"304 Not Modified\r\nContent-Length: 500\r\n",
        b"",
        True,
    ),
    "its wish to close": (
        response(b"200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n", b"\r\n!"),
        {},
        b"200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n",
        b"!",
        False,
    ),
    "HTTP/1.0": (
        response(b"200 OK\r\nContent-Length: 1\r\n", b"\r\n!", b"1.0"),
        {},
        b"200 OK\r\nContent-Length: 1\r\n",
        b"!",
        False,
    ),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_response_is_the_same_wherever_it_is_cut(name):
    """Its end is known from its head; what follows is not taken for a part of it."""
    data, options, head, body, is_reusable = WHOLE[name]
    for cut in range(len(data) + 1):
        reader, found, rest = read(data + b"HTTP", [cut], **options)
        assert found == ([(HEAD, head), (END, b"")], body), cut
        assert reader.is_reusable is is_reusable
        assert rest == b"HTTP"


def test_a_response_without_a_length_ends_with_the_connection():
    """And the connection carries nothing after it."""
    data = response(b"200 OK\r\nA: b\r\n", b"\r\nall of it")
    for cut in range(len(data)):
        reader, found, _ = read(data, [cut], closed=True)
        assert found == ([(HEAD, b"200 OK\r\nA: b\r\n"), (END, b"")], b"all of it")
        assert not reader.is_reusable


def test_interim_responses_come_before_the_final_one():
    """103 is passed on; 100 and others are between the worker and us."""
    hints = b"103 Early Hints\r\nLink: </s>; rel=preload\r\n"
    data = response(b"100 Continue\r\n\r\n")
    data += response(hints + b"\r\n") + response(b"102 Processing\r\n\r\n")
    final = b"200 OK\r\nContent-Length: 2\r\n"
    data += response(final, b"\r\nok")
    for cut in range(len(data)):
        _, found, _ = read(data, [cut])
        assert found == ([(INTERIM, hints), (HEAD, final), (END, b"")], b"ok")


def test_after_101_there_is_no_http_any_more():
    """What follows is the protocol's that was asked for."""
    head = b"101 Switching Protocols\r\n"
    head += b"Connection: x, Upgrade\r\nUpgrade: WebSocket\r\n"
    data = response(head, b"\r\n")
    for cut in range(len(data) + 1):
        _, (events, body), rest = read(data + b"HTTP", [cut], upgrade=b"websocket")
        assert (events, body, rest) == ([(UPGRADE, head)], b"", b"HTTP")


@pytest.mark.parametrize(
    ("head", "upgrade"),
    [
        (b"Connection: Upgrade\r\nUpgrade: websocket\r\n", b""),
        (b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"websocket"),
        (b"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n", b"websocket"),
        (b"Connection: Upgrade\r\n", b"websocket"),
        (b"Upgrade: websocket\r\n", b"websocket"),
    ],
)
def test_an_upgrade_that_was_not_asked_for_is_nonsense(head, upgrade):
    """It would be a tunnel to what nobody has checked."""
    data = response(b"101 Switching Protocols\r\n" + head, b"\r\n")
    with pytest.raises(BadFrame, match="101"):
        read(data, upgrade=upgrade)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"HTTP/2 200 OK\r\n\r\n",
        b"http/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\nA: b\n\n",
        b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"1" * 19 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" + CHUNKED + b"\r\n",
        b"HTTP/1.1 200 OK\r\n" + CHUNKED + CHUNKED + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n" + CHUNKED + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * MAX_HEAD,
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * MAX_HEAD + b"\r\n\r\n",
    ],
)
def test_what_is_no_response_is_said_to_be_none(data):
    """At once, and not when the connection ends."""
    with pytest.raises(BadFrame):
        read(data)


@pytest.mark.parametrize(
    "body",
    [
        b"x\r\n",
        b"\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x1\r\n",
        b"1_0\r\n",
        b"1" * 16 + b"\r\n",
        b"1\r\nab\r\n",
        b"1\r\na\n0\r\n",
        b"1;" + b"a" * 5000,
        b"1;" + b"a" * 5000 + b"\r\n",
        b"0\r\nno trailer\r\n",
        b"0\r\n" + b"A: b\r\n" * 5000,
    ],
)
def test_what_is_no_chunk_is_said_to_be_none(body):
    """A chunk's size decides where the next response begins."""
    with pytest.raises(BadFrame):
        read(response(b"200 OK\r\n" + CHUNKED, b"\r\n" + body))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n!",
        b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n5\r\nhello\r\n0\r\n",
    ],
)
def test_a_response_that_was_cut_off_is_not_complete(data):
    """Its end was told, and did not come."""
    with pytest.raises(BadFrame, match="closed within a response"):
        read(data, closed=True)


names = st.sampled_from(["A", "X-Long-Name", "content-type", "Set-Cookie"])
values = st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=20)
bodies = st.lists(st.binary(min_size=1, max_size=50), max_size=5)


@given(
    st.integers(200, 599).filter(lambda status: status not in (204, 304)),
    st.lists(st.tuples(names, values.map(str.strip)), max_size=4),
    bodies,
    st.booleans(),
    st.lists(st.integers(0, 400), max_size=4),
)
def test_what_h11_writes_is_read_as_it_was_meant(status, headers, pieces, known, cuts):
    """By another implementation of the same RFC."""
    worker = h11.Connection(h11.SERVER)
    worker.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    worker.next_event()
    worker.next_event()
    framing = ("Content-Length", str(sum(map(len, pieces))))
    if not known:
        framing = ("Transfer-Encoding", "chunked")
    head = h11.Response(status_code=status, headers=[*headers, framing])
    data = worker.send(head)
    for piece in pieces:
        data += worker.send(h11.Data(piece))
    data += worker.send(h11.EndOfMessage())
    reader, ((first, *others), body), rest = read(data, cuts)
    assert first == (HEAD, data[9 : data.index(b"\r\n\r\n") + 2])
    assert (others, body, rest) == ([(END, b"")], b"".join(pieces), b"")
    assert reader.is_reusable


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_whatever_comes_is_a_response_or_none(data, cuts):
    """No other error, however it is cut."""
    for begin in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n" + CHUNKED):
        results = []
        for pieces in ((), cuts):
            try:
                _, found, _ = read(begin + data, pieces, closed=True)
            except BadFrame:
                found = None
            results.append(found)
        assert results[0] == results[1]


def read_by_h11(data):
    """Body, and what follows; None when h11 takes it for no whole response."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    body = b""
    try:
        client.receive_data(data)
        while not isinstance(event := client.next_event(), h11.EndOfMessage):
            if event in (h11.NEED_DATA, h11.PAUSED):
                return None
            if isinstance(event, h11.Data):
                body += bytes(event.data)
    except h11.RemoteProtocolError:
        return None
    return body, client.trailing_data[0]


TWO = [
    response(b"200 OK\r\nContent-Length: 11\r\n", b"\r\nhello world"),
    response(b"200 OK\r\n" + CHUNKED, b"\r\n5\r\nhello\r\n6;a\r\n world\r\n0\r\n\r\n"),
]
insertions = st.sampled_from(
    [
        *(
            b"\r\n",
            b"\n",
            b"\r",
            b" ",
            b"\t",
            b":",
            b";",
            b"0",
            b"1",
            b"-",
            b",",
            b"\0",
        ),
        *(b"Content-Length: 3\r\n", b"Content-Length: 11\r\n", CHUNKED),
        *(b"Transfer-Encoding: identity\r\n", b"chunked", b"a: b\r\n"),
    ]
)


@given(
    st.sampled_from(TWO),
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 3), insertions), max_size=3),
)
def test_where_a_response_ends_is_what_others_think_too(data, changes):
    """Of nearly valid ones: we may refuse what h11 takes, but never see another end."""
    for at, removed, inserted in changes:
        data = data[:at] + inserted + data[at + removed :]
    data += b"HTTP/1.1 500 The next one\r\n\r\n"
    try:
        _, ((first, *others), body), rest = read(data)
    except (BadFrame, ValueError):
        return  # refused, or not even a head
    theirs = read_by_h11(data)
    if others == [(END, b"")] and first[0] == HEAD and theirs is not None:
        assert (body, rest) == theirs
