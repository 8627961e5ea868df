"""Bodies and responses that flow while the app runs, through real processes."""

from __future__ import annotations

import hashlib

import pytest

from passtwist.testing.waiting import wait_until
from tests.integration.raw import responses, talk
from tests.integration.sites import Site, serve

CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The probe, which gets requests before their bodies."""
    folder = tmp_path_factory.mktemp("streaming")
    return Site(folder, "streamed", buffer_requests=False, max_instances=1)


@pytest.fixture(scope="module")
def server(site):
    with serve(site.root.parent, site, body_memory="4KiB") as running:
        yield running


def post(server, path, *headers):
    """A connection on which the head of a request was sent."""
    client = server.connect()
    lines = [f"POST {path} HTTP/1.1", "Host: a", *headers, "", ""]
    client.sendall("\r\n".join(lines).encode())
    return client


def read_until(client, end):
    """All that comes up to *end*, which must be the last."""
    data = b""
    while not data.endswith(end):
        piece = client.recv(65536)
        assert piece, data
        data += piece
    return data


def content(size):
    return (b"".join(b"%08d" % number for number in range(1 + size // 8)))[:size]


@pytest.mark.parametrize("size", [0, 1, 5_000, 300_000, 3_000_000])
def test_a_streamed_body_arrives_byte_for_byte(server, size):
    """Announced or chunked; and the connections to the worker stay good."""
    body = content(size)
    told = f"{size} {hashlib.sha256(body).hexdigest()}"
    assert server.request("POST", "/digest", body).text == told
    pieces = [body[at : at + 30_000] for at in range(0, size, 30_000)]
    assert server.request("POST", "/digest", pieces).text == told


def test_an_app_can_answer_what_it_has_read_and_then_read_on(server):
    """Line by line, both ways, over one connection."""
    with post(server, "/converse", CHUNKED) as client:
        client.sendall(b"4\r\none\n\r\n")
        head = read_until(client, b"4\r\nONE\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nConnection: close\r\n" in head
        client.sendall(b"4\r\ntwo\n\r\n")
        assert read_until(client, b"4\r\nTWO\n\r\n") == b"4\r\nTWO\n\r\n"
        client.sendall(b"0\r\n\r\n")
        assert read_until(client, b"0\r\n\r\n") == b"0\r\n\r\n"
        assert client.recv(1) == b""


def test_events_go_out_one_by_one(server, site):
    """The second is made only when the client has the first."""
    with server.connect() as client:
        client.sendall(b"GET /stream?pieces=2 HTTP/1.1\r\nHost: a\r\n\r\n")
        site.open_gate("0")
        read_until(client, b"8\r\npiece 0\n\r\n")
        site.open_gate("1")
        assert read_until(client, b"0\r\n\r\n") == b"8\r\npiece 1\n\r\n0\r\n\r\n"


def test_continue_is_said_when_the_app_reads(server, site):
    """And an app that does not read is not sent anything."""
    with post(server, "/digest", "Content-Length: 2", "Expect: 100-continue") as client:
        assert read_until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"ok")
        told = f"2 {hashlib.sha256(b'ok').hexdigest()}".encode()
        assert responses(read_until(client, told)) == [(b"HTTP/1.1 200 OK", told)]
    with post(
        server, "/note?text=unread", "Content-Length: 2", "Expect: 100-continue"
    ) as client:
        answer = read_until(client, b"unread")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nConnection: close\r\n" in answer


def test_an_app_that_answers_without_reading_is_heard(server):
    """By a client that goes on sending; its worker serves the next."""
    body = content(200_000)
    head = f"POST /fail HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = talk(server, head.encode() + body)
    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert server.get("/").text == "hello from streamed"


def test_an_app_learns_that_its_client_has_left(server, site):
    """From its read; the log has a line and no traceback."""
    with post(server, "/swallow", "Content-Length: 100000") as client:
        client.sendall(b"x" * 50_000)
        site.wait_for_notes("reading")
    lost = "the client went away before its request's body was complete"
    site.wait_for_notes("lost: " + lost)
    server.wait_for_log("passtwist: POST '/swallow' failed")
    assert "ClientLeft" not in server.log()
    (worker,) = server.workers("streamed")
    assert server.get("/pid").text == str(worker["pid"])


def test_a_client_that_is_ahead_of_the_app_has_to_wait(server, site):
    """What does not fit between them stays with the client; then it all arrives."""
    size = 8_000_000
    with post(server, "/wait?gate=slow", f"Content-Length: {size}") as client:
        site.wait_for_notes("begun slow")
        client.setblocking(False)
        sent = 0
        body = memoryview(bytes(size))
        with pytest.raises(BlockingIOError):
            while True:
                sent += client.send(body[sent:])
        assert sent < size
        client.setblocking(True)
        site.open_gate("slow")
        assert read_until(client, b"slow").startswith(b"HTTP/1.1 200 OK\r\n")
    wait_until(
        lambda: server.workers("streamed", "idle"), "the worker to be idle again"
    )
