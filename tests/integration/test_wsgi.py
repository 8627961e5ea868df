"""What an app sees of a request and a client of its answer, through it all."""

from __future__ import annotations

import hashlib
import http.client
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from passtwist.testing.waiting import wait_until
from tests.integration.raw import responses, talk
from tests.integration.sites import Site, serve

VALID = "/valid"
THREADS = 4


def content(size: int) -> bytes:
    """The same bytes as the app's."""
    block = b"".join(b"%08d" % number for number in range(0, 80_000, 8))
    return (block * (size // len(block) + 1))[:size]


def told(body: bytes) -> str:
    """What /digest answers for a body."""
    return f"{len(body)} {hashlib.sha256(body).hexdigest()}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("wsgi")


@pytest.fixture(scope="module")
def plain(folder):
    """The app at /."""
    return Site(folder, "plain")


@pytest.fixture(scope="module")
def threaded(folder):
    """The app with four threads, below /threads."""
    return Site(folder, "threaded", base_uri="/threads", threads=THREADS)


@pytest.fixture(scope="module")
def server(folder, plain, threaded):
    valid = Site(folder, "valid", base_uri=VALID, entry="passenger_wsgi:validated")
    with serve(folder, plain, valid, threaded) as running:
        yield running


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/", None, b"hello from valid"),
        ("GET", "/?a=b&c", None, b"hello from valid"),
        ("HEAD", "/", None, b""),
        ("POST", "/digest", b"a=b", told(b"a=b").encode()),
        ("POST", "/digest", b"", told(b"").encode()),
        ("POST", "/digest", [b"a=", b"b"], told(b"a=b").encode()),
        ("PUT", "/digest", content(100_000), told(content(100_000)).encode()),
        ("DELETE", "/", None, b"hello from valid"),
        ("OPTIONS", "/", None, b"hello from valid"),
        ("GET", "/big?size=70000&pieces=1000", None, content(70_000)),
        ("GET", "/write", None, b"written, again, returned"),
        ("GET", "/lines", b"one\ntwo\nthree\n", b'["one\\n", "two\\n", "three\\n"]'),
    ],
)
def test_the_validator_of_the_standard_library_has_nothing_to_complain_of(
    server, method, path, body, expected
):
    """It raises in the app for any breach of PEP 3333, which would be a 500."""
    response = server.request(method, VALID + path, body)
    assert (response.status, response.body) == (200, expected)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 100_000, 1 << 20])
def test_a_body_arrives_byte_for_byte_whether_in_memory_or_as_a_file(server, size):
    """Up to 64 KiB it is in memory, above it travels as an unlinked file."""
    body = content(size)
    assert server.request("POST", "/digest", body).text == told(body)
    # No Content-Length: http.client sends an iterable chunked.
    pieces = [body[at : at + 30_000] for at in range(0, size, 30_000)]
    assert server.request("POST", "/digest", pieces).text == told(body)


@pytest.mark.parametrize("query", ["", "&pieces=8000", "&pieces=300000"])
@pytest.mark.parametrize("size", [0, 1, 300_000, 1 << 20])
def test_a_response_arrives_byte_for_byte(server, size, query):
    """In one piece or in many, small or larger than any buffer."""
    response = server.get(f"/big?size={size}{query}")
    assert (response.status, response.body) == (200, content(size))


def test_a_megabyte_goes_there_and_back_again(server):
    body = content(1 << 20)
    response = server.request("POST", "/echo", body)
    assert (response.status, response.body) == (200, body)


def test_the_environ_of_a_request_is_exactly_this(server):
    """All variables there are, for a request with a body below a base URI."""
    answer = talk(
        server,
        b"POST /threads/environ/a%20b/%E4?q=%20x&q HTTP/1.1\r\n"
        b"Host: shop.example:80\r\nContent-Type: text/x\r\nContent-Length: 3\r\n"
        b"X-Two: one\r\nX-Two: two\r\nX_Forged: no\r\nProxy: no\r\n"
        b"Connection: close\r\nX-Request-Id: abc-1\r\nCookie: a=1\r\n\r\nxyz",
    )
    ((status, body),) = responses(answer)
    environ = json.loads(body)
    port = environ.pop("REMOTE_PORT")
    request_id = environ.pop("HTTP_X_REQUEST_ID")
    assert port.isdigit()
    # A stranger's request id is replaced; the answer carries ours.
    assert b"X-Request-Id: %b\r\n" % request_id.encode() in answer
    assert (status, environ) == (
        b"HTTP/1.1 200 OK",
        {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "/threads",
            "PATH_INFO": "/environ/a b/\xe4",
            "QUERY_STRING": "q=%20x&q",
            "REQUEST_URI": "/threads/environ/a%20b/%E4?q=%20x&q",
            "RAW_URI": "/threads/environ/a%20b/%E4?q=%20x&q",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_SOFTWARE": "passtwist",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(server.port),
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": "text/x",
            "CONTENT_LENGTH": "3",
            "HTTP_HOST": "shop.example:80",
            "HTTP_X_TWO": "one,two",
            "HTTP_COOKIE": "a=1",
            "wsgi.version": [1, 0],
            "wsgi.url_scheme": "http",
            "wsgi.input": "BytesIO",
            "wsgi.errors": "TextIOWrapper",
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": "type",
            "wsgi.input_terminated": True,
            "wsgi.early_hints": "method",
        },
    )


@pytest.mark.parametrize(
    ("target", "script_name", "path_info", "query"),
    [
        ("/environ", "", "/environ", ""),
        ("/environ?", "", "/environ", ""),
        ("/environ?a=b%26c", "", "/environ", "a=b%26c"),
        ("/environ/%C3%A9%2F%25", "", "/environ/\xc3\xa9/%", ""),
        ("/environ//x/../y/.", "", "/environ//x/../y/.", ""),
        ("/threads", "/threads", "", ""),
        ("/threads/", "/threads", "/", ""),
        ("/threads/environ", "/threads", "/environ", ""),
        ("/%74hreads/environ", "/threads", "/environ", ""),
        ("/threadsx/environ", "", "/threadsx/environ", ""),
    ],
)
def test_a_path_is_decoded_once_and_split_at_the_base_uri(
    server, target, script_name, path_info, query
):
    """SCRIPT_NAME and PATH_INFO are latin-1 text of the decoded bytes."""
    answer = server.get(target)
    if path_info in ("", "/"):
        assert (answer.status, answer.text) == (200, "hello from threaded")
        return
    environ = json.loads(answer.text)
    names = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_URI")
    found = tuple(environ[name] for name in names)
    assert found == (script_name, path_info, query, target)


def test_pieces_are_sent_on_as_the_app_makes_them(server, plain):
    """The second piece is not made before the client has read the first."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, 30)
    plain.open_gate("0")
    connection.request("GET", "/stream?pieces=3")
    response = connection.getresponse()
    received = []
    for number in range(3):
        plain.open_gate(str(number))
        received.append(response.readline())
    assert received == [b"piece 0\n", b"piece 1\n", b"piece 2\n"]
    assert response.read() == b""
    connection.close()


def test_close_of_the_apps_iterable_is_called_once(server, plain):
    """Once for each answer, whoever reads it."""
    before = plain.notes().count("closed")
    assert server.get("/closing").body == b"ab"
    wait_until(lambda: plain.notes().count("closed") > before, "close()")
    assert server.request("HEAD", "/closing").body == b""
    wait_until(lambda: plain.notes().count("closed") > before + 1, "close()")
    assert plain.notes().count("closed") == before + 2


def test_an_answer_can_be_replaced_until_some_of_it_is_sent(server):
    """start_response with exc_info before the first byte of the body."""
    response = server.get("/change-mind")
    assert (response.status, response.body) == (409, b"no")


def test_an_answer_that_fails_after_it_began_does_not_look_complete(server):
    """start_response with exc_info raises then; the client sees a broken end."""
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        server.get("/too-late")
    assert server.get("/").status == 200


def test_an_app_that_raises_is_answered_500_and_named_in_the_log(server):
    """The visitor learns nothing of it, the log all."""
    response = server.get("/fail")
    assert (response.status, response.body) == (500, b"Internal Server Error\n")
    server.wait_for_log("RuntimeError: as wished")


def test_wsgi_file_wrapper_sends_a_file(server):
    response = server.get("/file")
    assert (response.status, response.body) == (200, content(200_000))


def test_early_hints_come_before_the_answer(server):
    """103 with its fields, then the answer; not for HTTP/1.0."""
    request = b"GET /hints HTTP/1.%d\r\nHost: x\r\nConnection: close\r\n\r\n"
    early, _, rest = talk(server, request % 1).partition(b"\r\n\r\n")
    assert early == b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload"
    assert responses(rest) == [(b"HTTP/1.1 200 OK", b"hinted")]
    assert responses(talk(server, request % 0)) == [(b"HTTP/1.1 200 OK", b"hinted")]


def test_pipelined_requests_are_answered_in_order(server):
    """Also when they go to different workers and apps, with bodies between."""
    bodies = [b"x" * size for size in (1, 70_000, 0, 5)]
    requests = b"".join(
        b"POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        + body
        + b"GET /threads/ HTTP/1.1\r\nHost: x\r\n\r\n"
        for body in bodies
    )
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    expected = [told(body).encode() for body in bodies]
    assert [body for _, body in responses(talk(server, requests + last))] == [
        one for digest in expected for one in (digest, b"hello from threaded")
    ] + [b"hello from plain"]


def test_a_connection_is_kept_for_further_requests(server):
    """HTTP/1.1 by default; HTTP/1.0 when it asks."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, 30)
    ports = set()
    for _ in range(5):
        connection.request("GET", "/environ")
        environ = json.loads(connection.getresponse().read())
        ports.add(environ["REMOTE_PORT"])
    connection.close()
    assert len(ports) == 1

    kept = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    answer = talk(server, kept + b"GET / HTTP/1.0\r\n\r\n")
    assert responses(answer) == [(b"HTTP/1.1 200 OK", b"hello from plain")] * 2


def test_a_client_of_http_1_0_gets_a_stream_without_chunks(server):
    """Its end is the connection's."""
    answer = talk(server, b"GET /big?size=20&pieces=7 HTTP/1.0\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert body == content(20)


def test_threads_answer_as_many_requests_at_once_in_one_worker(server, threaded):
    """The scoreboard of the one worker shows all of them in the status."""
    gates = [str(number) for number in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as clients:
        answers = clients.map(
            lambda gate: server.get(f"/threads/wait?gate=at-once-{gate}"), gates
        )
        threaded.wait_for_notes(*(f"begun at-once-{gate}" for gate in gates))
        (worker,) = server.workers("threaded", "busy")
        for gate in gates:
            threaded.open_gate(f"at-once-{gate}")
        assert [answer.text for answer in answers] == [
            f"at-once-{gate}" for gate in gates
        ]
    seconds = [current.pop("seconds") for current in worker["current"]]
    assert all(isinstance(value, float) for value in seconds)
    current = sorted(worker["current"], key=lambda one: one["path"])
    assert (worker["sessions"], current) == (
        THREADS,
        [
            {"method": "GET", "path": f"/threads/wait?gate=at-once-{gate}"}
            for gate in gates
        ],
    )
