"""httpbin: what an app sees of requests and clients of its answers, in its words."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from passtwist.testing.server import RunningServer
from passtwist.testing.waiting import wait_until
from tests.integration.sites import serve
from tests.real.sites import App, visit

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

WAYS = {
    "conservative": {"spawn_method": "conservative"},
    "smart-lv2": {"spawn_method": "smart-lv2"},
    "smart": {"spawn_method": "smart"},
    "threads": {"spawn_method": "smart", "threads": 4, "max_instances": 1},
}
LARGE = bytes(range(256)) * 1200  # more than is kept in memory


@pytest.fixture(scope="module")
def server(httpbin_python, tmp_path_factory):
    """httpbin in each of the ways, each in a folder that holds nothing."""
    folder = tmp_path_factory.mktemp("httpbin")
    apps = [
        App(folder, way, httpbin_python, entry="httpbin:app", framework="flask", **keys)
        for way, keys in WAYS.items()
    ]
    with serve(folder, *apps, max_pool_size=8) as running:
        yield running


@pytest.fixture(params=WAYS)
def way(request):
    """The name of the app, and below which path it is."""
    return request.param


@pytest.fixture
def client(server, way):
    """A visitor who has not been there before."""
    with visit(server, f"/{way}") as client:
        yield client


@pytest.fixture
def headers(client):
    """What /headers tells of a request with the visitor's own headers."""
    return {
        "Accept": "*/*",
        "Accept-Encoding": client.headers["Accept-Encoding"],
        "Host": client.base_url.netloc.decode(),
        "User-Agent": client.headers["User-Agent"],
    }


def url(client, path):
    """The address as httpbin is to make it from its environ."""
    return f"{client.base_url}{path.lstrip('/')}"


def test_it_is_served_in_the_way_that_was_asked_for(server, client, way):
    """The one worker came by the spawn method of its settings."""
    assert client.get("/status/200").status_code == 200
    app = server.app(way)
    wanted = WAYS[way]["spawn_method"]
    assert (app["framework"], app["spawn_method"], app["spawn_method_reason"]) == (
        "flask",
        wanted,
        "",
    )
    assert {worker["spawn_method"] for worker in app["workers"]} == {wanted}


def test_the_framework_spawner_has_the_flask_of_the_virtualenv(server, httpbin_python):
    """The two apps that are smart share it, as they share the files of Flask."""
    for way in ("smart", "threads"):
        with visit(server, f"/{way}") as client:
            client.get("/status/200")
    keys = [spawner["key"] for spawner in server.spawners("framework")]
    assert len(keys) == 1
    assert httpbin_python in keys[0]
    assert " flask 3." in keys[0]


def test_get_tells_the_query_and_where_from(client, headers):
    """Repeated names, other scripts, the client's address and the whole URL."""
    answer = client.get("/get?a=1&a=2&%C3%BC=%E2%82%AC&empty=")
    assert answer.status_code == 200
    assert answer.json() == {
        "args": {"a": ["1", "2"], "ü": "€", "empty": ""},
        "headers": headers,
        "origin": "127.0.0.1",
        "url": url(client, "/get?a=1&a=2&ü=€&empty="),
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({}, {}),
        ({"data": {"a": ["1", "2"], "ü": "€"}}, {"form": {"a": ["1", "2"], "ü": "€"}}),
        (
            {"json": {"a": [1, None]}},
            {"data": '{"a":[1,null]}', "json": {"a": [1, None]}},
        ),
        ({"content": b"plain"}, {"data": "plain"}),
        (
            {"files": {"f": ("ü.txt", b"text", "text/plain")}, "data": {"k": "v"}},
            {"files": {"f": "text"}, "form": {"k": "v"}},
        ),
    ],
    ids=["nothing", "form", "json", "text", "file"],
)
def test_a_body_arrives_as_what_it_is(client, headers, method, sent, told):
    """Forms, JSON and files are told apart by httpbin; none is lost."""
    request = client.build_request(method, f"/{method.lower()}?q=1", **sent)
    answer = client.send(request)
    own = {
        name: request.headers[name]
        for name in ("Content-Type", "Content-Length")
        if name in request.headers
    }
    assert answer.json() == {
        "args": {"q": "1"},
        "data": "",
        "files": {},
        "form": {},
        "json": None,
        **told,
        "headers": {**headers, **own},
        "origin": "127.0.0.1",
        "url": url(client, f"/{method.lower()}?q=1"),
    }


def test_a_chunked_upload_arrives_with_a_length(client, headers):
    """Else httpbin answers 501: it knows no server that can do without one."""
    pieces = [LARGE[start : start + 10_000] for start in range(0, len(LARGE), 10_000)]
    answer = client.post("/post", content=iter(pieces))
    assert answer.status_code == 200
    told = answer.json()
    assert told["headers"] == {**headers, "Content-Length": str(len(LARGE))}
    # What is no text is told as base64, behind a type.
    assert told["data"].startswith("data:application/octet-stream;base64,")
    assert base64.b64decode(told["data"].partition(",")[2]) == LARGE


def test_headers_that_are_for_one_hop_are_not_forwarded(client, headers):
    """Nor those that Connection names, nor Proxy, nor ambiguous spellings."""
    answer = client.get(
        "/headers",
        headers={
            "Connection": "keep-alive, X-Hop",
            "X-Hop": "1",
            "Keep-Alive": "timeout=5",
            "Proxy-Authorization": "Basic eDp5",
            "Proxy-Connection": "keep-alive",
            "TE": "trailers",
            "Upgrade": "other",
            "Proxy": "http://127.0.0.1:9/",
            "X_End": "forged",
            "X-End": "to end",
        },
    )
    assert answer.json() == {"headers": {**headers, "X-End": "to end"}}


def test_a_client_cannot_claim_another_address(client):
    """X-Forwarded-For counts only from trusted proxies; here is none."""
    answer = client.get("/ip", headers={"X-Forwarded-For": "192.0.2.1"})
    assert answer.json() == {"origin": "127.0.0.1"}


def test_cookies_are_set_one_header_each_and_come_back(client, way):
    """The redirect leads to the page that shows them, below the base URI."""
    answer = client.get("/cookies/set?a=1&b=%C3%A4")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/{way}/cookies")
    assert len(answer.headers.get_list("Set-Cookie")) == 2
    assert client.get("/cookies").json()["cookies"].keys() == {"a", "b"}
    client.get("/cookies/delete?a")
    assert client.get("/cookies").json()["cookies"].keys() == {"b"}


@pytest.mark.parametrize(
    ("coding", "said"), [("gzip", "gzipped"), ("deflate", "deflated")]
)
def test_a_compressed_answer_stays_as_it_is(client, coding, said):
    """Its coding and length are the app's, and the client can read it."""
    answer = client.get(f"/{coding}")
    assert answer.headers["Content-Encoding"] == coding
    assert int(answer.headers["Content-Length"]) == answer.num_bytes_downloaded
    assert answer.json()[said] is True


def test_a_stream_without_a_length_is_chunked(client):
    """Twenty lines of JSON, complete and in order."""
    answer = client.get("/stream/20")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in answer.headers
    assert [json.loads(line)["id"] for line in answer.iter_lines()] == list(range(20))


def test_redirects_are_followed_below_the_base_uri(client, way):
    """Relative ones, and absolute ones with the Host that the client sent."""
    base = str(client.base_url)
    for kind, start in (("relative", f"/{way}/"), ("absolute", base)):
        answer = client.get(f"/{kind}-redirect/3", follow_redirects=True)
        assert [step.headers["Location"] for step in answer.history] == [
            f"{start}{kind}-redirect/2",
            f"{start}{kind}-redirect/1",
            f"{start}get",
        ]
        assert answer.json()["url"] == url(client, "/get")


@pytest.mark.parametrize("status", [200, 204, 304, 404, 418, 500])
def test_a_status_is_the_apps(client, status):
    """With its body, or with none where there can't be any; and what follows it
    on the same connection is not confused."""
    answer = client.get(f"/status/{status}")
    length = {204: None, 304: None, 418: "135"}.get(status, "0")
    assert (answer.status_code, answer.headers.get("Content-Length")) == (
        status,
        length,
    )
    assert len(answer.content) == int(length or 0)
    assert client.get("/user-agent").status_code == 200


@pytest.mark.parametrize("path", ["/get", "/stream/3", "/bytes/1000", "/status/404"])
def test_head_is_get_without_a_body(client, path):
    """The same status and length; nothing comes behind the head."""
    got = client.get(path)
    head = client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers.get("Content-Length") == got.headers.get("Content-Length")
    assert client.get("/user-agent").status_code == 200


def test_what_drips_arrives_whole(client):
    """With the status that was asked for."""
    answer = client.get("/drip?duration=0.1&numbytes=10&code=203")
    assert (answer.status_code, answer.content) == (203, b"*" * 10)


def test_bytes_arrive_as_they_were_made(client):
    """The same seed makes the same bytes, sent in one piece or in many."""
    whole = client.get("/bytes/100000?seed=7")
    assert (len(whole.content), whole.headers["Content-Length"]) == (100_000, "100000")
    pieces = client.get("/stream-bytes/50000?seed=7&chunk_size=999")
    assert pieces.headers["Transfer-Encoding"] == "chunked"
    assert pieces.content == client.get("/bytes/50000?seed=7").content


@pytest.mark.parametrize(
    ("asked", "status", "told", "first", "last"),
    [
        (None, 200, "bytes 0-1023/1024", 0, 1024),
        ("bytes=3-7", 206, "bytes 3-7/1024", 3, 8),
        ("bytes=1000-", 206, "bytes 1000-1023/1024", 1000, 1024),
        ("bytes=-2", 206, "bytes 1022-1023/1024", 1022, 1024),
        ("bytes=2000-", 416, "bytes */1024", 0, 0),
    ],
)
def test_a_range_is_the_apps_to_cut(client, asked, status, told, first, last):
    """The header reaches it, and its answer the client."""
    answer = client.get("/range/1024", headers={"Range": asked} if asked else {})
    alphabet = b"abcdefghijklmnopqrstuvwxyz"
    assert (answer.status_code, answer.headers["Content-Range"]) == (status, told)
    assert answer.content == (alphabet * 40)[first:last]


def test_credentials_reach_the_app(client):
    """HTTP_AUTHORIZATION is not kept back, as some servers do."""
    refused = client.get("/basic-auth/user/p%C3%A4ss")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == 'Basic realm="Fake Realm"'
    answer = client.get("/basic-auth/user/p%C3%A4ss", auth=("user", "päss"))
    assert answer.json() == {"authenticated": True, "user": "user"}


def test_a_path_is_decoded_once(client):
    """Other scripts, blanks, an encoded slash; what comes out is not decoded."""
    answer = client.get("/anything/%C3%A4%2F%E2%82%AC/x%20y")
    assert answer.json()["url"] == url(client, "/anything/ä/€/x%20y")
    answer = client.get("/basic-auth/%C3%A4%2541/word", auth=("ä%41", "word"))
    assert answer.json() == {"authenticated": True, "user": "ä%41"}


def test_other_methods_reach_the_app(client):
    """TRACE is answered by it, and OPTIONS, which names what there is."""
    assert client.request("TRACE", "/anything").json()["method"] == "TRACE"
    allowed = client.options("/get").headers["Allow"]
    assert set(allowed.split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert client.post("/get").status_code == 405


def test_an_answer_is_passed_on_while_the_app_still_makes_it(server):
    """The first byte is here, and the worker is still at it."""
    path = "/conservative/drip?duration=3&numbytes=3"
    with visit(server) as client, client.stream("GET", path) as answer:
        pieces = answer.iter_raw()
        begin = next(pieces)
        # However many workers earlier tests have called for.
        workers = server.workers("conservative")
        running = [one["path"] for worker in workers for one in worker["current"]]
        assert running == [path]
        assert begin + b"".join(pieces) == b"***"


def test_four_threads_sleep_at_once_in_one_worker(server):
    """None of the four waits for another; the status shows all of them."""
    path = "/threads/delay/2"
    with visit(server) as client, ThreadPoolExecutor(4) as threads:
        answers = [threads.submit(client.get, path) for _ in range(4)]

        def all_at_it():
            return [
                worker
                for worker in server.workers("threads")
                if [one["path"] for one in worker["current"]] == [path] * 4
            ]

        assert len(wait_until(all_at_it, "four requests in one worker")) == 1
        assert [answer.result().status_code for answer in answers] == [200] * 4


@pytest.mark.parametrize(
    ("file", "flags", "framework"),
    [
        (None, ["--entry=httpbin:app", "--framework=flask"], "flask"),
        ("from httpbin import app\n", [], "wsgi"),
    ],
    ids=["entry", "app.py"],
)
def test_a_folder_is_served_with_few_words(
    httpbin_python, tmp_path, file, flags, framework
):
    """As somebody would who tries it for the first time."""
    if file:
        (tmp_path / "app.py").write_text(file)
    with (
        RunningServer(f"--python={httpbin_python}", *flags, str(tmp_path)) as server,
        visit(server) as client,
    ):
        assert client.get("/get?a=1").json()["args"] == {"a": "1"}
        (app,) = server.status()["apps"]
        assert (app["framework"], app["last_spawn_error"]) == (framework, None)
