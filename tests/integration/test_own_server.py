"""Workers that bring a server of their own: HTTP to them, and WebSocket through us."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from passtwist.testing.server import RunningServer
from passtwist.testing.waiting import wait_until
from tests.integration.commands import output, page
from tests.integration.websocket import (
    BINARY,
    CLOSE,
    WebSocket,
    handshake,
    read_head,
)

TALKER = Path(__file__).parents[1] / "apps" / "talker"
HELLO = (200, "hello")


def start(folder, *flags):
    """A server of the talker, with an access log in JSON."""
    site = folder / "site"
    shutil.copytree(TALKER / "site", site)
    return RunningServer(
        f"--plugin-file={TALKER / 'talker_plugin.py'}",
        f"--access-log={folder / 'access.log'}",
        "--access-log-format=json",
        *flags,
        str(site),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("talker")


@pytest.fixture(scope="module")
def server(folder):
    """One for all tests that leave it as it was."""
    with start(folder) as server:
        yield server


def app_of(server):
    (app,) = server.status()["apps"]
    return app


def in_flight(server):
    """State and path of each request in flight."""
    return [(one["state"], one["path"]) for one in page(server, "requests")["requests"]]


def get(server, path):
    answer = server.get(path)
    return answer.status, answer.text


def entry(folder, **expected):
    """The line of the access log that has these, once it is written."""

    def found():
        lines = (folder / "access.log").read_text().splitlines()
        entries = [json.loads(line) for line in lines]
        fitting = [one for one in entries if expected.items() <= one.items()]
        return fitting[-1] if fitting else None

    return wait_until(found, f"{expected} in the access log")


# --- ordinary requests ------------------------------------------------------------


def test_ordinary_requests_are_answered_by_it(server):
    """As by any worker; forked from a spawner like any other, too."""
    assert [get(server, "/"), get(server, "/pid")[0]] == [HELLO, 200]
    app = app_of(server)
    assert (app["framework"], app["state"]) == ("talker", "ready")
    (worker,) = app["workers"]
    assert str(worker["pid"]) == get(server, "/pid")[1]
    assert worker["spawn_method"] == app["spawn_method"]
    assert server.request("HEAD", "/").headers["Content-Length"] == "5"


def test_it_is_told_who_asks(server):
    """By headers that are ours alone; what is for one hop stays here."""
    said = {
        "X-Forwarded-For": "203.0.113.1",
        "X-Forwarded-Proto": "https",
        "Connection": "X-Evil",
        "X-Evil": "1",
        "TE": "trailers",
        "X-Good": "1",
    }
    method, target, headers = json.loads(server.get("/env", headers=said).text)
    host = f"127.0.0.1:{server.port}"
    assert (method, target) == ("GET", "/env")
    assert headers.pop("x-request-id")
    assert headers == {
        "host": host,
        "accept-encoding": "identity",
        "x-good": "1",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "http",
        "x-forwarded-host": host,
    }


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_bodies_arrive_whole(server, size):
    """From memory and from the spool, with a length and in chunks."""
    body = os.urandom(size)
    pieces = [body[at : at + 100_000] for at in range(0, size, 100_000)]
    for sent in (body, iter(pieces)):
        answer = server.request("POST", "/digest", sent)
        assert (answer.status, answer.text) == (200, sha256(body).hexdigest())


# --- tunnels ----------------------------------------------------------------------


def test_a_megabyte_of_noise_each_way_is_what_it_was(server, folder):
    """In one message and in many; it is a session, and logged at its end."""
    noise = os.urandom(1 << 20)
    with WebSocket(server) as talk:
        sender = threading.Thread(target=talk.send, args=[noise])
        sender.start()
        assert talk.receive() == (BINARY, noise)
        sender.join()
        for size in (0, 125, 126, 65535, 65536):
            talk.send(noise[:size])
            assert talk.receive() == (BINARY, noise[:size])
        assert in_flight(server) == [("upgraded", "/talk")]
        assert "upgraded" in output(server, "requests")
        (worker,) = app_of(server)["workers"]
        assert (worker["state"], worker["sessions"]) == ("busy", 1)
        talk.send(b"\x03\xe8", CLOSE)
        assert talk.receive() == (CLOSE, b"\x03\xe8")
        assert talk.has_ended()
    line = entry(folder, status=101, target="/talk")
    assert min(line["received"], line["sent"]) > (1 << 20) + 2 * 65535
    assert (line["complete"], line["worker"]) == (True, worker["pid"])
    wait_until(lambda: in_flight(server) == [], "the session to end")


def test_what_was_sent_with_the_request_goes_through_the_tunnel(server):
    """And either side may end before the other one."""
    with server.connect() as connection:
        connection.sendall(handshake("/relay", protocol="raw") + b"GET / HTTP/1.1\r\n")
        head, said = read_head(connection)
        assert head.startswith(b"HTTP/1.1 101 ")
        connection.sendall(b"\r\n\0\xff")
        connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65536):
            said += piece
    assert said == b"GET / HTTP/1.1\r\n\r\n\0\xff20 bytes"


def test_a_slow_reader_holds_the_worker_and_loses_nothing(server):
    """Back-pressure, and not a buffer that grows, nor a file."""
    with server.connect() as connection:
        connection.sendall(handshake("/flood", protocol="raw"))
        _, received = read_head(connection)

        def flooded():
            before = get(server, "/flooded")
            return before if before == get(server, "/flooded") else None

        # Asked over other connections, so some turns of both loops lie between.
        size = int(wait_until(flooded, "the flood to stand still")[1])
        assert 0 < size < 16 << 20
        count, digest = len(received), sha256(received)
        while piece := connection.recv(1 << 20):
            count += len(piece)
            digest.update(piece)
    expected = sha256()
    for begin in range(0, 4 << 20, 1 << 16):
        expected.update(b"".join(b"%08d" % n for n in range(begin, begin + (1 << 16))))
    assert (count, digest.digest()) == (32 << 20, expected.digest())


def test_what_follows_a_refused_upgrade_reaches_no_app(server):
    """Bytes that were meant for a tunnel are no requests."""
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    for path in ("/forbidden", "/"):
        with server.connect() as connection:
            connection.sendall(handshake(path) + smuggled)
            head, _ = read_head(connection)
            assert b"\r\nConnection: close" in head
            while connection.recv(65536):
                pass
    seen = json.loads(get(server, "/seen")[1])
    assert "GET /forbidden" in seen
    assert not [line for line in seen if "smuggled" in line]


def test_a_protocol_that_was_not_announced_is_ignored(server):
    """Above all one that is HTTP again: h2c would go past all that is checked."""
    with server.connect() as connection:
        for protocol in ("h2c", "other"):
            connection.sendall(handshake("/talk", protocol=protocol))
            head, body = read_head(connection)
            while len(body) < len(b"hello"):  # it may come in two pieces
                body += connection.recv(100)
            assert head.startswith(b"HTTP/1.1 200 As It Is\r\n")
            assert body == b"hello"
            if protocol == "h2c":
                assert b"Connection: close" not in head


# --- ends -------------------------------------------------------------------------


def test_a_tunnel_ends_when_its_worker_is_killed(server):
    """A request that was in it is 502; the next one is answered by another worker."""
    pid = get(server, "/pid")[1]
    with WebSocket(server) as talk:
        talk.send(b"are you there?")
        assert talk.receive() == (BINARY, b"are you there?")
        assert server.get("/die").status == 502
        assert talk.has_ended()
    assert get(server, "/") == HELLO
    assert get(server, "/pid")[1] != pid


def test_a_tunnel_ends_when_its_worker_is_to_leave(server):
    """The worker may say goodbye; who connects again comes to a new one."""
    pid = get(server, "/pid")[1]
    with WebSocket(server) as talk:
        output(server, "restart", app_of(server)["name"], "--wait")
        assert talk.receive() == (CLOSE, b"\x03\xe9")
        assert talk.has_ended()
        with WebSocket(server) as another:
            another.send(b"hello again")
            assert another.receive() == (BINARY, b"hello again")
            assert get(server, "/pid")[1] != pid


def test_tunnels_end_when_the_server_is_drained(server):
    """Nothing is upgraded until it wants requests again."""
    with WebSocket(server) as talk:
        output(server, "drain")
        assert talk.receive() == (CLOSE, b"\x03\xe9")
        assert talk.has_ended()
        with server.connect() as connection:
            connection.sendall(handshake("/talk"))
            assert read_head(connection)[0].startswith(b"HTTP/1.1 503 ")
        assert get(server, "/") == HELLO
        output(server, "undrain")
        with WebSocket(server) as again:
            again.send(b"hello")
            assert again.receive() == (BINARY, b"hello")


SETTINGS = """
[server]
plugin_files = ["{plugin}"]

[[app]]
root = "{root}"
name = "talker"
spawn_method = "conservative"
health_check = "/healthz"
buffer_requests = false
"""


def test_a_stop_waits_for_no_tunnel_and_is_no_failure_by_it(tmp_path):
    """One that was left open is closed, and the exit status is 0.

    Before that: a worker that loads its app by itself, a health check in HTTP, and
    uploads that are passed on as they come.
    """
    shutil.copytree(TALKER / "site", tmp_path / "site")
    file = tmp_path / "passtwist.toml"
    plugin = TALKER / "talker_plugin.py"
    file.write_text(SETTINGS.format(plugin=plugin, root=tmp_path / "site"))
    with RunningServer("-c", str(file)) as server:
        body = os.urandom(1_000_000)
        pieces = (body[at : at + 100_000] for at in range(0, len(body), 100_000))
        for sent in (body, pieces):
            answer = server.request("POST", "/digest", sent)
            assert (answer.status, answer.text) == (200, sha256(body).hexdigest())
        assert json.loads(get(server, "/seen")[1])[0] == "GET /healthz"
        with WebSocket(server) as talk:
            server.process.terminate()
            assert talk.receive() == (CLOSE, b"\x03\xe9")
            assert talk.has_ended()
            assert server.wait_for_exit() == 0
    assert "Traceback" not in server.log()
