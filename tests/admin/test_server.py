"""The admin socket: pages that come at once, later, or not at all."""

from __future__ import annotations

import socket

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from passtwist.admin.server import AdminServer
from passtwist.cli.admin_client import AdminError, get_json
from passtwist.testing.spawn_servers import come_about


class Asked:
    """A page that the test gives when it likes."""

    def __init__(self):
        self.pages = []

    def __call__(self):
        self.pages.append(Deferred())
        return self.pages[-1]


@pytest.fixture
def memory():
    return Asked()


@pytest.fixture
def path(memory, tmp_path):
    """The socket of a running admin server."""
    path = str(tmp_path / "admin.sock")
    server = AdminServer(reactor, lambda: {"pid": 1}, memory)
    server.start(path)
    yield path
    server.stop()


@pytest_twisted.ensureDeferred
async def test_a_page_that_is_there_is_answered_at_once(path):
    """As a JSON object."""
    assert await deferToThread(get_json, path, "/v1/status") == {"pid": 1}


@pytest_twisted.ensureDeferred
async def test_a_page_that_comes_later_is_answered_then(path, memory):
    """The client waits; others are answered meanwhile."""
    answer = deferToThread(get_json, path, "/v1/memory")
    await come_about(lambda: memory.pages, "the question")
    assert await deferToThread(get_json, path, "/v1/status") == {"pid": 1}
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
    with pytest.raises(AdminError, match=r"answered 500$"):
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
    assert await deferToThread(get_json, path, "/v1/status") == {"pid": 1}
    memory.pages[0].callback({"total": 3})
    assert await deferToThread(get_json, path, "/v1/status") == {"pid": 1}
