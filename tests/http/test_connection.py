"""Requests and responses on one connection, without sockets and time."""

from __future__ import annotations

import os
import resource

import pytest
from twisted.internet.address import IPv4Address, UNIXAddress

from passtwist.api.failures import RequestFailure
from passtwist.errors import SettingsError, SpawnError
from passtwist.http.config import FrontEndConfig, Site

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
GET_10 = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"


def post(body: bytes, *headers: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    lines = [b"POST / HTTP/1.1", b"Host: a", b"Content-Length: %d" % size, *headers]
    return b"\r\n".join([*lines, b"", body])


def response(number: int, status: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    """A whole response: status, headers before Date, headers after, id, body."""
    before = [line for line in headers if not line.startswith(b"Connection")]
    after = [line for line in headers if line.startswith(b"Connection")]
    lines = [b"HTTP/1.1 " + status, *before, DATE.strip(), *after]
    lines += [b"X-Request-Id: id-%x" % number, b"", body]
    return b"\r\n".join(lines)


# --- the shape of a response ----------------------------------------------------


def test_a_request_is_answered_in_one_write(bench):
    """The fast path: head and body, a length, a date and an id."""
    bench.answers(b"200 OK\r\nContent-Type: text/plain\r\n", b"hello")
    client = bench.connect()
    writes = []
    write = client.transport.write
    client.transport.write = lambda data: (writes.append(data), write(data))
    client.send(GET)
    assert writes == [
        response(
            1,
            b"200 OK",
            b"Content-Type: text/plain",
            b"Content-Length: 5",
            body=b"hello",
        )
    ]


def test_the_app_sees_the_request(bench):
    """All CGI variables, and nothing else."""
    bench.answers()
    client = bench.connect()
    client.send(
        b"POST /a%20b?c=d HTTP/1.1\r\nHost: shop.example:80\r\nX-One: 1\r\n"
        b"Content-Type: text/plain\r\nContent-Length: 05\r\n\r\nhello"
    )
    session = bench.pool.last
    assert session.app == "shop"
    assert session.environ == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "c=d",
        "REQUEST_URI": "/a%20b?c=d",
        "RAW_URI": "/a%20b?c=d",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "passtwist",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "REMOTE_PORT": "40000",
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "shop.example:80",
        "HTTP_X_ONE": "1",
        "HTTP_X_REQUEST_ID": "id-1",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "5",
    }
    request = session.request
    assert (request.method, request.path) == (b"POST", b"/a%20b?c=d")
    assert (request.body, request.body_file, request.body_length) == (b"hello", None, 5)


@pytest.mark.parametrize(
    ("head", "sent"),
    [
        (b"200 OK\r\n", [b"Content-Length: 5"]),
        (b"200 OK\r\nContent-Length: 7\r\n", [b"Content-Length: 7"]),
    ],
)
def test_the_answer_to_head_has_no_body(bench, head, sent):
    """R35: the same header fields as GET, and the connection goes on."""
    bench.answers(head, b"hello")
    client = bench.connect()
    assert client.send(HEAD) == response(1, b"200 OK", *sent)
    assert client.send(HEAD) == response(2, b"200 OK", *sent)


def test_a_streamed_answer_to_head_has_no_body(bench):
    """R35: neither chunks nor their end."""
    client = bench.connect()
    client.send(HEAD)
    responder = bench.pool.last.responder
    responder.begin(b"200 OK\r\n")
    responder.write(b"hello")
    responder.finish()
    assert client.take() == response(1, b"200 OK")
    assert not client.closed


@pytest.mark.parametrize(
    ("head", "status", "headers"),
    [
        (b"204 No Content\r\n", b"204 No Content", []),
        (b"204 No Content\r\nContent-Length: 5\r\n", b"204 No Content", []),
        (b"304 Not Modified\r\nETag: x\r\n", b"304 Not Modified", [b"ETag: x"]),
        (b"304 Not Modified\r\nContent-Length: 0\r\n", b"304 Not Modified", []),
        (b"205 Reset Content\r\n", b"205 Reset Content", [b"Content-Length: 0"]),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_some_statuses_have_no_body(bench, head, status, headers, streamed):
    """R36: whatever the app sends along."""
    client = bench.connect()
    client.send(GET)
    responder = bench.pool.last.responder
    if streamed:
        responder.begin(head)
        responder.write(b"hello")
        responder.finish()
    else:
        responder.answer(head, b"hello")
    assert client.take() == response(1, status, *headers)
    assert not client.closed


def test_a_stream_of_unknown_length_is_chunked(bench):
    """For HTTP/1.1; empty pieces do not end it."""
    client = bench.connect()
    client.send(GET)
    responder = bench.pool.last.responder
    responder.begin(b"200 OK\r\n")
    head = client.take()
    responder.write(b"hello")
    responder.write(b"")
    responder.write(b"x" * 16)
    assert head == response(1, b"200 OK", b"Transfer-Encoding: chunked")
    assert client.take() == b"5\r\nhello\r\n10\r\nxxxxxxxxxxxxxxxx\r\n"
    responder.finish()
    assert client.take() == b"0\r\n\r\n"
    assert not client.closed


def test_a_stream_of_known_length_is_not(bench):
    """The app's Content-Length is kept."""
    client = bench.connect()
    client.send(GET)
    responder = bench.pool.last.responder
    responder.begin(b"200 OK\r\ncontent-length: 10\r\n")
    responder.write(b"hello")
    responder.write(b"world")
    responder.finish()
    assert client.take() == response(
        1, b"200 OK", b"Content-Length: 10", body=b"helloworld"
    )


def test_a_stream_to_http10_ends_with_the_connection(bench):
    """R37: no chunks for who does not know them, even if it would stay."""
    client = bench.connect()
    client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    responder = bench.pool.last.responder
    responder.begin(b"200 OK\r\n")
    responder.write(b"hello")
    responder.finish()
    assert client.take() == response(1, b"200 OK", b"Connection: close", body=b"hello")
    assert client.closed


@pytest.mark.parametrize(
    ("request_bytes", "connection", "closed"),
    [
        (GET, [], False),
        (GET_10, [b"Connection: close"], True),
        (
            b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            [b"Connection: keep-alive"],
            False,
        ),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, TE\r\n\r\n",
            [b"Connection: close"],
            True,
        ),
    ],
)
def test_persistence(bench, request_bytes, connection, closed):
    """R31, R32: the client decides, and is told."""
    bench.answers()
    client = bench.connect()
    assert client.send(request_bytes) == response(
        1, b"200 OK", b"Content-Length: 5", *connection, body=b"hello"
    )
    assert client.closed is closed


def test_what_an_app_says_about_the_connection_is_dropped(bench):
    """R40: hop-by-hop fields are the server's."""
    bench.answers(
        b"200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 9\r\n"
        b"Transfer-Encoding: chunked\r\nUpgrade: x\r\nTrailer: y\r\n"
        b"Proxy-Authenticate: z\r\nX-Kept: 2\r\n"
    )
    assert bench.connect().send(GET) == response(
        1, b"200 OK", b"X-Kept: 2", b"Content-Length: 5", body=b"hello"
    )


def test_the_date_and_id_of_an_app_are_kept(bench):
    """R38: added only where missing."""
    bench.answers(b"200 OK\r\nDate: today\r\nX-Request-Id: mine\r\n")
    assert bench.connect().send(GET) == (
        b"HTTP/1.1 200 OK\r\nDate: today\r\nX-Request-Id: mine\r\n"
        b"Content-Length: 5\r\n\r\nhello"
    )


def test_early_hints_go_before_the_response(bench):
    """R46: a checked 103, to clients of HTTP/1.1 only."""
    client, old = bench.connect(), bench.connect()
    for each, data in ((client, GET), (old, GET_10)):
        each.send(data)
        bench.pool.last.responder.interim(b"103 Early Hints\r\nLink: </x>\r\n")
        bench.pool.last.responder.interim(b"103 Early Hints\r\nLink: a\nb\r\n")
        bench.pool.last.responder.interim(b"100 Continue\r\n")
    assert client.take() == b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    assert old.take() == b""


# --- wrong responses ------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"OK\r\n",
        b"20 OK\r\n",
        b"2000 OK\r\n",
        b"099 Low\r\n",
        b"100 Continue\r\n",
        b"101 Switching\r\n",
        b"200 OK",
        b"200 OK\r\n\r\nX: y\r\n",
        b"200 O\nK\r\n",
        b"200 O\x00K\r\n",
        b"200 OK\r\nX: a\nSet-Cookie: b\r\n",
        b"200 OK\r\nX: a\rb\r\n",
        b"200 OK\r\nX: a\x00b\r\n",
        b"200 OK\r\nX: a\x1bb\r\n",
        b"200 OK\r\nX y: a\r\n",
        b"200 OK\r\n: a\r\n",
        b"200 OK\r\nno colon\r\n",
        b"200 OK\r\n X: folded\r\n",
        b"200 OK\r\nX: a\r\n\tfolded\r\n",
        b"200 OK\r\nContent-Length: five\r\n",
        b"200 OK\r\nContent-Length: -5\r\n",
        b"200 OK\r\nContent-Length: 5, 5\r\n",
        b"200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
        b"200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n",
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_head_that_is_wrong_becomes_500(bench, head, streamed):
    """R43, R44: nothing of it is sent; the connection is as good as before."""
    client = bench.connect()
    client.send(GET)
    session = bench.pool.last
    if streamed:
        session.responder.begin(head)
        session.responder.write(b"evil")
        session.responder.finish()
    else:
        session.responder.answer(head, b"evil")
    data = client.take()
    assert data.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert data.count(b"HTTP/1.1") == 1
    assert b"evil" not in data
    assert bench.front.counters.bad_responses == 1
    bench.answers()
    assert client.send(GET).endswith(b"hello")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_body_that_is_too_long_is_cut(bench, streamed):
    """R44: what the client was promised, and the next response is readable."""
    client = bench.connect()
    client.send(GET)
    responder = bench.pool.last.responder
    if streamed:
        responder.begin(b"200 OK\r\nContent-Length: 5\r\n")
        responder.write(b"hel")
        responder.write(b"lo world")
        responder.write(b"!")
        responder.finish()
    else:
        responder.answer(b"200 OK\r\nContent-Length: 5\r\n", b"hello world")
    assert client.take() == response(1, b"200 OK", b"Content-Length: 5", body=b"hello")
    assert not client.closed
    assert bench.front.counters.cut_responses == 1


@pytest.mark.parametrize("streamed", [False, True])
def test_a_body_that_is_too_short_ends_the_connection(bench, streamed):
    """R44: the client can see that something is missing."""
    client = bench.connect()
    client.send(GET)
    responder = bench.pool.last.responder
    if streamed:
        responder.begin(b"200 OK\r\nContent-Length: 9\r\n")
        responder.write(b"hello")
        responder.finish()
    else:
        responder.answer(b"200 OK\r\nContent-Length: 9\r\n", b"hello")
    assert client.take().endswith(b"hello")
    assert client.closed


# --- failures -------------------------------------------------------------------


def test_a_failure_before_the_response_is_an_error_page(bench):
    """With its status, Retry-After, and no word about the reason."""
    client = bench.connect()
    client.send(GET)
    bench.pool.last.responder.fail(
        RequestFailure(503, "the queue of /srv/shop is full", retry_after=2)
    )
    data = client.take()
    assert data.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 2\r\n" in data
    assert b"id-1" in data
    assert b"/srv/shop" not in data
    assert not client.closed


def test_a_failure_in_development_shows_the_spawn(bench):
    """All that is known about it, but for secrets."""
    bench.configure(Site("shop", environment="development"))
    client = bench.connect()
    client.send(GET)
    error = SpawnError("app-error", "app shop: <b>no</b>", detail="API_KEY=abc")
    bench.pool.last.responder.fail(RequestFailure(500, "spawn failed", error=error))
    data = client.take()
    assert b"app shop: &lt;b&gt;no&lt;/b&gt;" in data
    assert b"abc" not in data


@pytest.mark.parametrize(
    ("data", "head"),
    [
        (GET, b"200 OK\r\n"),
        (GET, b"200 OK\r\nContent-Length: 10\r\n"),
        (GET_10, b"200 OK\r\n"),
    ],
)
def test_a_failure_within_a_response_breaks_the_connection(bench, data, head):
    """What was sent can't be taken for complete."""
    client = bench.connect()
    client.send(data)
    responder = bench.pool.last.responder
    responder.begin(head)
    responder.write(b"hello")
    responder.fail(RequestFailure(502, "the worker died"))
    assert client.aborted
    assert b"0\r\n\r\n" not in client.take()


def test_an_error_page_for_head_has_no_body(bench):
    """R35 holds for our own pages."""
    client = bench.connect()
    client.send(HEAD)
    bench.pool.last.responder.fail(RequestFailure(502, "the worker died"))
    data = client.take()
    assert data.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert data.endswith(b"\r\n\r\n")


def test_an_app_that_went_away_is_503(bench):
    """Between the routing and the pool."""

    def gone(session):
        raise KeyError(session.app)

    bench.pool._answer = gone
    data = bench.connect().send(GET)
    assert data.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")


def test_a_broken_pool_is_500(bench, logged_failures):
    """And its failure is in the log."""

    def broken(session):
        raise ZeroDivisionError

    bench.pool._answer = broken
    data = bench.connect().send(GET)
    assert data.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert len(logged_failures.flush(ZeroDivisionError)) == 1


# --- bodies of requests ---------------------------------------------------------


def test_no_worker_is_asked_before_the_body_is_whole(bench):
    """A slow sender holds nobody."""
    client = bench.connect()
    data = post(b"hello")
    for index in range(len(data) - 1):
        client.send(data[index : index + 1])
    assert bench.pool.sessions == []
    client.send(data[-1:])
    assert bench.pool.last.request.body == b"hello"


def test_a_chunked_body_is_decoded(bench):
    """The app gets a length instead."""
    client = bench.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    client.send(b"5\r\nhel")
    client.send(b"lo\r\n1;x=y\r\n!\r\n0\r\nX: y\r\n\r\n" + GET)
    session = bench.pool.last
    assert session.request.body == b"hello!"
    assert session.environ["CONTENT_LENGTH"] == "6"
    assert "HTTP_TRANSFER_ENCODING" not in session.environ
    assert "HTTP_X" not in session.environ
    session.responder.answer(b"200 OK\r\n", b"")
    assert len(bench.pool.sessions) == 2


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_in_an_unlinked_file(bench, chunked):
    """One byte more than fits; the file is closed when the session has ended."""
    bench.configure(body_memory=10)
    client = bench.connect()
    if chunked:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"6\r\n012345\r\n5\r\n6789x\r\n0\r\n\r\n")
    else:
        client.send(post(b"0123456789x")[:-4])
        client.send(b"789x")
    session = bench.pool.last
    descriptor = session.request.body_file
    assert (session.request.body, session.request.body_length) == (b"", 11)
    assert os.pread(descriptor, 100, 0) == b"0123456789x"
    with pytest.raises(OSError, match="Bad file"):
        os.write(descriptor, b"it goes to a worker, which must not fill the disk")
    assert list(bench.folder.iterdir()) == []
    session.responder.answer(b"200 OK\r\n", b"")
    assert session.request.body_file is None
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(descriptor)


def test_a_spooled_body_that_no_descriptor_is_left_for_is_503(bench):
    """And its file is given back."""
    bench.configure(body_memory=10)
    before = len(os.listdir("/proc/self/fd"))
    client = bench.connect()
    client.send(post(b"0123456789x")[:-4])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
    try:
        data = client.send(b"789x")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert data.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert bench.pool.sessions == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_body_without_room_on_disk_is_503(bench):
    """The client may come again; the app is not bothered."""
    folder = bench.folder / "spool"
    folder.mkdir()
    config = FrontEndConfig(spool_dir=str(folder))
    bench.configure(config=config, body_memory=10)
    folder.rmdir()
    data = bench.connect().send(post(b"x" * 20))
    assert data.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 1\r\n" in data
    assert bench.pool.sessions == []


def test_a_folder_for_bodies_that_can_not_be_written_is_refused_at_once(bench):
    """And not with the first large body."""
    config = FrontEndConfig(spool_dir="/proc/nothing")
    with pytest.raises(SettingsError) as caught:
        bench.configure(config=config)
    (problem,) = caught.value.problems
    assert problem == (
        "[server]: spool_dir: /proc/nothing: No such file or directory; name a folder "
        "that the server may write to"
    )


def test_the_files_of_all_bodies_have_so_much_room(bench):
    """503 beyond it; there is room again when a session has ended."""
    config = FrontEndConfig(spool_dir=str(bench.folder), max_spool=30)
    bench.configure(config=config, body_memory=10)
    first, second = bench.connect(), bench.connect()
    first.send(post(b"x" * 20))
    data = second.send(post(b"y" * 20))
    assert data.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 1\r\n" in data
    assert len(bench.pool.sessions) == 1
    assert bench.front.space.spooled == 20
    bench.pool.last.responder.answer(b"200 OK\r\n", b"thanks")
    assert bench.front.space.spooled == 0
    bench.connect().send(post(b"z" * 30))
    assert bench.pool.last.request.body_length == 30


def test_the_memory_of_all_bodies_is_limited(bench):
    """What is beyond it goes to a file, however small; nothing is refused."""
    config = FrontEndConfig(spool_dir=str(bench.folder), max_buffers=30)
    bench.configure(config=config)
    clients = [bench.connect() for _ in range(3)]
    for client in clients:
        client.send(post(b"x" * 20, length=25))
    space = bench.front.space
    assert (space.memory, space.spooled) == (20, 40)
    clients[0].leave()
    assert (space.memory, space.spooled) == (0, 40)
    for client in clients[1:]:
        client.send(b"y" * 5)
        with open(bench.pool.last.request.body_file, "rb", closefd=False) as file:
            assert file.read() == b"x" * 20 + b"y" * 5
        bench.pool.last.responder.answer(b"200 OK\r\n", b"thanks")
    assert (space.memory, space.spooled) == (0, 0)


def test_an_announced_body_that_is_too_large_is_413(bench):
    """Refused before a byte of it, and the connection ends."""
    bench.configure(Site("shop", max_body=10))
    client = bench.connect()
    data = client.send(post(b"", length=11))
    assert data.startswith(b"HTTP/1.1 413 Content Too Large\r\n")
    assert b"\r\nConnection: close\r\n" in data
    assert client.closed
    assert bench.pool.sessions == []


def test_a_chunked_body_that_is_too_large_is_413_on_the_way(bench):
    """The chunk that goes over the limit is not read."""
    bench.configure(Site("shop", max_body=10))
    client = bench.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    client.send(b"a\r\n0123456789\r\n")
    data = client.send(b"1\r\n")
    assert data.startswith(b"HTTP/1.1 413 Content Too Large\r\n")
    assert client.closed


def test_a_spooled_body_that_is_refused_gives_its_file_back(bench):
    """The fixture that looks for open descriptors sees to it."""
    bench.configure(Site("shop", max_body=20), body_memory=5)
    client = bench.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    client.send(b"a\r\n0123456789\r\n")
    assert client.send(b"b\r\n").startswith(b"HTTP/1.1 413 Content Too Large\r\n")


def test_an_empty_body_is_a_body(bench):
    """A length of nothing was announced, and the app is told so."""
    bench.answers()
    bench.connect().send(post(b""))
    request = bench.pool.last.request
    assert bench.pool.last.environ["CONTENT_LENGTH"] == "0"
    assert (request.body, request.body_file, request.body_length) == (b"", None, 0)


def test_dropped_names_are_counted(bench):
    """Somebody may look for the header that never arrives."""
    bench.answers()
    bench.connect().send(b"GET / HTTP/1.1\r\nHost: a\r\nX_Y: 1\r\n\r\n")
    counted = bench.front.counters.as_dict()
    assert (counted["unsafe_names"], counted["requests"]) == (1, 1)
    assert "HTTP_X_Y" not in bench.pool.last.environ


def test_a_body_may_be_as_large_as_it_likes_without_a_limit(bench):
    """max_body = 0."""
    bench.configure(Site("shop", max_body=0))
    client = bench.connect()
    assert client.send(post(b"", length=10**12)) == b""


def test_continue_is_sent_once_and_only_when_the_body_is_wanted(bench):
    """R30: after routing and limits; not when the body has begun already."""
    bench.configure(Site("shop", max_body=10))
    bench.answers()
    expect = b"Expect: 100-continue"
    client = bench.connect()
    assert client.send(post(b"", expect, length=5)) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert client.send(b"he") == b""
    assert client.send(b"llo").startswith(b"HTTP/1.1 200 OK\r\n")
    assert client.send(post(b"he", expect, length=5)) == b""
    assert client.send(b"llo").startswith(b"HTTP/1.1 200 OK\r\n")
    assert client.send(post(b"", expect, length=11)).startswith(b"HTTP/1.1 413")


def test_continue_is_not_sent_to_http10(bench):
    """R30."""
    client = bench.connect()
    data = b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    assert client.send(data) == b""


# --- order ----------------------------------------------------------------------


def test_one_request_is_in_flight_at_a_time(bench):
    """R33: the next waits for the response before it."""
    client = bench.connect()
    client.send(GET.replace(b"/ ", b"/1 ") + GET.replace(b"/ ", b"/2 "))
    assert [s.environ["PATH_INFO"] for s in bench.pool.sessions] == ["/1"]
    bench.pool.last.responder.answer(b"200 OK\r\n", b"one")
    assert [s.environ["PATH_INFO"] for s in bench.pool.sessions] == ["/1", "/2"]
    bench.pool.last.responder.answer(b"200 OK\r\n", b"two")
    assert client.take() == response(
        1, b"200 OK", b"Content-Length: 3", body=b"one"
    ) + response(2, b"200 OK", b"Content-Length: 3", body=b"two")


def test_thousands_of_pipelined_requests_are_not_answered_in_one_turn(bench):
    """A few in each turn of the reactor, and nothing more is read meanwhile."""
    bench.configure(requests_per_connection=10**6)
    bench.answers()
    client = bench.connect()
    assert client.send(GET * 3000).count(b"HTTP/1.1 200 OK\r\n") == 32
    assert client.transport.producerState == "paused"
    bench.clock.advance(0)  # this clock's turns follow at once
    assert client.take().count(b"HTTP/1.1 200 OK\r\n") == 3000 - 32
    assert client.transport.producerState == "producing"


def test_a_client_that_leaves_between_turns_is_not_missed(bench):
    """What it has sent is not looked at any more."""
    bench.answers()
    client = bench.connect()
    client.send(GET * 200)
    client.leave()
    bench.clock.advance(0)
    assert len(bench.pool.sessions) == 32


def test_a_client_that_sends_ahead_is_held_back(bench):
    """R33: some is read, the rest stays in the kernel until it is its turn."""
    client = bench.connect()
    client.send(GET)
    client.send(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.transport.producerState == "producing"
    client.send(b"GET /" + b"x" * 6000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    client.send(b"GET /" + b"x" * 6000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    client.send(b"GET /" + b"x" * 6000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.transport.producerState == "paused"
    bench.pool.last.responder.answer(b"200 OK\r\n", b"")
    assert client.transport.producerState == "producing"
    assert bench.pool.last.environ["PATH_INFO"] == "/next"


def test_a_refused_request_comes_after_the_responses_before_it(bench):
    """In order, and then nothing more is read."""
    bench.answers()
    client = bench.connect()
    data = client.send(GET + b"GET / HTTP/9\r\n\r\n" + GET)
    assert data.count(b"HTTP/1.1 200 OK") == 1
    assert data.count(b"HTTP/1.1 400 Bad Request") == 1
    assert data.index(b"200 OK") < data.index(b"400 Bad Request")
    assert client.closed
    assert client.send(GET) == b""
    assert len(bench.pool.sessions) == 1


def test_a_connection_has_its_number_of_requests(bench):
    """The last response says that it was."""
    bench.configure(requests_per_connection=2)
    bench.answers()
    client = bench.connect()
    assert b"Connection: close" not in client.send(GET)
    assert b"Connection: close" in client.send(GET)
    assert client.closed


# --- routing --------------------------------------------------------------------


def test_an_unknown_address_is_404_and_the_connection_goes_on(bench):
    """With nothing to read behind it; with a body it ends."""
    bench.configure(Site("shop", hosts=("shop.example",)))
    client = bench.connect()
    assert client.send(GET).startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert not client.closed
    assert client.send(post(b"hello")).startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert client.closed


def test_an_app_below_a_path_sees_its_script_name(bench):
    """SCRIPT_NAME and PATH_INFO make up the path."""
    bench.configure(Site("shop", base_uri="/shop"))
    bench.answers()
    client = bench.connect()
    client.send(b"GET /shop/a?b HTTP/1.1\r\nHost: a\r\n\r\n")
    environ = bench.pool.last.environ
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/shop", "/a")
    assert environ["REQUEST_URI"] == "/shop/a?b"


# --- clients that leave ---------------------------------------------------------


def test_a_client_that_leaves_abandons_its_session(bench):
    """And what the app says goes nowhere."""
    client = bench.connect()
    client.send(GET)
    client.leave()
    session = bench.pool.last
    assert session.calls == ["abandon"]
    session.responder.begin(b"200 OK\r\n")
    session.responder.write(b"x")
    session.responder.finish()
    session.responder.answer(b"200 OK\r\n", b"")
    session.responder.fail(RequestFailure(502, "late"))
    session.responder.interim(b"103 Early Hints\r\n")
    assert client.take() == b""
    assert bench.front.counters.client_gone == 1


def test_a_client_that_leaves_within_its_body_asks_no_worker(bench):
    """R29; the half of a body that is there is thrown away."""
    bench.configure(body_memory=1)
    client = bench.connect()
    client.send(post(b"hel", length=5))
    client.leave()
    assert bench.pool.sessions == []


def test_a_client_that_leaves_while_it_is_submitted_abandons_too(bench):
    """The pool has not even given a session back."""
    client = bench.connect()
    bench.pool._answer = lambda session: client.leave()
    client.send(GET)
    assert bench.pool.last.calls == ["abandon"]


# --- where a request comes from -------------------------------------------------

FORWARDED = (
    b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4, 203.0.113.9\r\n"
    b"X-Forwarded-Proto: https\r\nX-Request-Id: theirs\r\nX-Real-IP: 9.9.9.9\r\n\r\n"
)


def test_forwarding_headers_of_strangers_do_not_reach_the_app(bench):
    """Anybody can write them."""
    bench.answers()
    bench.connect().send(FORWARDED)
    environ = bench.pool.last.environ
    assert environ["REMOTE_ADDR"] == "192.0.2.7"
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["HTTP_X_REQUEST_ID"] == "id-1"
    assert not [key for key in environ if "FORWARDED" in key or "REAL" in key]


def test_a_trusted_proxy_is_believed(bench):
    """Client, scheme and request id; its headers reach the app."""
    config = FrontEndConfig(trusted_proxies=("10.0.0.0/8",))
    bench.configure(config=config)
    bench.answers()
    data = bench.connect(IPv4Address("TCP", "10.1.2.3", 5)).send(FORWARDED)
    environ = bench.pool.last.environ
    assert environ["REMOTE_ADDR"] == "203.0.113.9"
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["HTTPS"] == "on"
    assert environ["HTTP_X_FORWARDED_FOR"] == "1.2.3.4, 203.0.113.9"
    assert environ["HTTP_X_REQUEST_ID"] == "theirs"
    assert b"\r\nX-Request-Id: theirs\r\n" in data


def test_a_proxy_that_contradicts_itself_is_refused(bench):
    """Two schemes: somebody's header got through."""
    bench.configure(config=FrontEndConfig(trusted_proxies=("10.0.0.0/8",)))
    data = bench.connect(IPv4Address("TCP", "10.1.2.3", 5)).send(
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n"
        b"X-Forwarded-Ssl: off\r\n\r\n"
    )
    assert data.startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_a_unix_socket_has_no_address(bench):
    """It is empty, not made up; such a peer is trusted as `unix`."""
    bench.configure(config=FrontEndConfig(trusted_proxies=("unix",)))
    bench.answers()
    client = bench.connect(UNIXAddress(None))
    client.send(GET)
    assert bench.pool.last.environ["REMOTE_ADDR"] == ""
    client.send(FORWARDED)
    assert bench.pool.last.environ["REMOTE_ADDR"] == "203.0.113.9"
