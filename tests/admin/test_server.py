"""The admin socket: pages and commands, at once, later, or not at all."""

from __future__ import annotations

import http.client
import json
import socket

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from passtwist.admin.request import MAX_BODY
from passtwist.admin.server import AdminServer
from passtwist.api.commands import CommandError, checked
from passtwist.cli.admin_client import AdminError, WhichServer, ask, get_json, order
from passtwist.testing.spawn_servers import come_about


class Asked:
    """A page that the test gives when it likes."""

    def __init__(self):
        self.pages = []

    def __call__(self):
        self.pages.append(Deferred())
        return self.pages[-1]


def restart(given):
    """Knows one app."""
    arguments = checked(given, {"app": str}, {"wait": False})
    if arguments["app"] != "shop":
        raise CommandError(404, f"there is no app {arguments['app']}; there is: shop")
    return {"asked": arguments}


def ready():
    """Not now."""
    raise CommandError(503, "the server drains")


def crash(given):
    """Is broken."""
    return 1 / 0


@pytest.fixture
def memory():
    return Asked()


@pytest.fixture
def stacks():
    """What `backtrace` waits for."""
    return Asked()


@pytest.fixture
def path(memory, stacks, tmp_path):
    """The socket of a running admin server."""
    path = str(tmp_path / "admin.sock")
    pages = {
        "status": lambda app="": {"pid": 1, "app": app},
        "memory": memory,
        "ready": ready,
    }
    commands = {"restart": restart, "crash": crash, "backtrace": lambda _: stacks()}
    server = AdminServer(reactor, pages, commands)
    server.start(path)
    yield path
    server.stop()


@pytest.fixture
def server(path, tmp_path):
    """The same, as commands name it."""
    return WhichServer(str(tmp_path))


def exchange(path, method, target, body=None):
    """Status, headers and text of the answer to one request."""
    connection = http.client.HTTPConnection("localhost", timeout=30)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(path)
    connection.request(method, target, body)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), text


@pytest_twisted.ensureDeferred
async def test_a_page_that_is_there_is_answered_at_once(path):
    """As a JSON object."""
    assert await deferToThread(get_json, path, "/v1/status") == {"pid": 1, "app": ""}


@pytest_twisted.ensureDeferred
async def test_a_page_gets_the_arguments_of_its_query(path):
    """By name; one that it does not know is a mistake of the asker's."""
    answer = await deferToThread(get_json, path, "/v1/status?app=a%20b")
    assert answer == {"pid": 1, "app": "a b"}
    with pytest.raises(AdminError, match="unexpected keyword argument 'apps'") as one:
        await deferToThread(get_json, path, "/v1/status?apps=shop")
    assert one.value.status == 400


@pytest_twisted.ensureDeferred
async def test_a_page_that_comes_later_is_answered_then(path, memory):
    """The client waits; others are answered meanwhile."""
    answer = deferToThread(get_json, path, "/v1/memory")
    await come_about(lambda: memory.pages, "the question")
    await deferToThread(get_json, path, "/v1/status")
    memory.pages[0].callback({"total": 3})
    assert await answer == {"total": 3}


@pytest_twisted.ensureDeferred
async def test_a_page_that_fails_is_an_error_and_is_logged(
    path, memory, logged_failures
):
    """Status 500, without the traceback."""
    answer = deferToThread(get_json, path, "/v1/memory")
    await come_about(lambda: memory.pages, "the question")
    memory.pages[0].errback(ValueError("broken"))
    with pytest.raises(AdminError, match=r"^that failed; the server's log says how$"):
        await answer
    assert len(logged_failures.flush(ValueError)) == 1


@pytest_twisted.ensureDeferred
async def test_a_page_for_a_client_that_has_left_is_dropped(path, memory):
    """Nobody is there to be told, whether it comes or fails."""
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    client.sendall(b"GET /v1/memory HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await come_about(lambda: memory.pages, "the question")
    client.close()
    await deferToThread(get_json, path, "/v1/status")
    memory.pages[0].callback({"total": 3})
    await deferToThread(get_json, path, "/v1/status")


@pytest_twisted.ensureDeferred
async def test_a_command_gets_its_arguments_and_answers(server):
    """A JSON object each way."""
    answer = await deferToThread(order, "restart", {"app": "shop"}, server)
    assert answer == {"asked": {"app": "shop", "wait": False}}


@pytest_twisted.ensureDeferred
async def test_a_command_may_answer_later(server, stacks):
    """And refuse later, too."""
    answer = deferToThread(order, "backtrace", {}, server, timeout=None)
    await come_about(lambda: len(stacks.pages) == 1, "the order")
    stacks.pages[0].callback({"stacks": ""})
    assert await answer == {"stacks": ""}
    answer = deferToThread(order, "backtrace", {}, server, timeout=None)
    await come_about(lambda: len(stacks.pages) == 2, "the next order")
    stacks.pages[1].errback(CommandError(504, "it says nothing"))
    with pytest.raises(AdminError) as refused:
        await answer
    assert (refused.value.status, str(refused.value)) == (504, "it says nothing")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ({"app": "blog"}, 404, "there is no app blog; there is: shop"),
        ({}, 400, "app is missing; it is a text"),
        ({"app": 1}, 400, "app must be a text"),
        ({"app": "shop", "wait": 1}, 400, "wait must be true or false"),
        (
            {"app": "shop", "wiat": True},
            400,
            "there is no argument 'wiat'; there are: app, wait",
        ),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_command_that_makes_no_sense_is_refused(
    server, arguments, status, message
):
    """With one sentence, which ends the command line's command too."""
    with pytest.raises(AdminError) as refused:
        await deferToThread(order, "restart", arguments, server)
    assert (refused.value.status, str(refused.value)) == (status, message)
    assert refused.value.exit_code == 1


@pytest_twisted.ensureDeferred
async def test_a_page_may_refuse_as_well(server):
    """So that load balancers can ask whether the server is ready."""
    with pytest.raises(AdminError) as refused:
        await deferToThread(ask, "ready", server)
    assert (refused.value.status, str(refused.value)) == (503, "the server drains")


@pytest_twisted.ensureDeferred
async def test_a_command_that_is_broken_is_an_error_and_is_logged(
    server, logged_failures
):
    """Status 500; the connection and the server go on."""
    with pytest.raises(AdminError) as refused:
        await deferToThread(order, "crash", {}, server)
    assert refused.value.status == 500
    assert len(logged_failures.flush(ZeroDivisionError)) == 1


THERE_ARE = (
    "to GET there are: /v1/memory, /v1/ready, /v1/status; to POST: /v1/backtrace, "
    "/v1/crash, /v1/restart"
)


@pytest.mark.parametrize("target", ["/", "/v1", "/v1/", "/v1/stop", "/status", "/v2/a"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest_twisted.ensureDeferred
async def test_who_asks_for_something_else_is_told_what_there_is(path, method, target):
    """Status 404."""
    status, headers, text = await deferToThread(exchange, path, method, target)
    assert (status, headers["Content-Type"]) == (404, "application/json")
    assert json.loads(text) == {"error": f"there is no {target!r}; {THERE_ARE}"}


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("POST", "/v1/status", "GET"),
        ("PUT", "/v1/status", "GET"),
        ("GET", "/v1/restart", "POST"),
        ("DELETE", "/v1/restart", "POST"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_wrong_method_is_refused(path, method, target, allowed):
    """Status 405 with Allow; nothing is done."""
    status, headers, text = await deferToThread(exchange, path, method, target)
    assert (status, headers["Allow"]) == (405, allowed)
    assert json.loads(text) == {"error": f"{target[4:]} wants {allowed}"}


@pytest_twisted.ensureDeferred
async def test_a_head_of_a_page_has_no_body(path):
    """As probes like it."""
    status, _, text = await deferToThread(exchange, path, "HEAD", "/v1/status")
    assert (status, text) == (200, b"")


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b"app=shop"])
@pytest_twisted.ensureDeferred
async def test_what_is_no_json_object_is_refused(path, body):
    """Status 400."""
    status, _, text = await deferToThread(exchange, path, "POST", "/v1/crash", body)
    expected = {"error": "crash: what was sent is no JSON object"}
    assert (status, json.loads(text)) == (400, expected)


@pytest.mark.parametrize("chunked", [False, True])
@pytest_twisted.ensureDeferred
async def test_a_body_that_is_too_large_is_refused(path, chunked):
    """Status 413; it is not kept, and nothing is done."""
    body = b'{"app": "shop"' + b" " * MAX_BODY + b"}"
    sent = iter([body]) if chunked else body
    status, _, text = await deferToThread(exchange, path, "POST", "/v1/restart", sent)
    expected = {"error": f"restart: more than {MAX_BODY} bytes were sent"}
    assert (status, json.loads(text)) == (413, expected)
