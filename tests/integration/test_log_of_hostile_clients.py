"""Nothing that a client sends is logged raw, or shown, by a real server."""

from __future__ import annotations

import json
import re

import pytest

from tests.integration.raw import talk
from tests.integration.sites import Site, serve
from tests.integration.smuggling import ATTACKS

# What an app says about its client: the path as it is, in its own log and in an
# exception.
TALKATIVE = """
def application(environ, start_response):
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
    print("asked for", path, file=environ["wsgi.errors"], flush=True)
    if "raise" in path:
        raise ValueError(path + environ.get("HTTP_USER_AGENT", ""))
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""

ESCAPES = b"\x1b]0;owned\x07\x1b[2J\x1b[31m"
# As a client may send them: what can't be in a header is sent escaped in a path.
PATHS = [
    b"/%1b%5b2J%1b%5d0;owned%07",
    b"/%0d%0a127.0.0.1%20-%20-%20forged",
    b"/%c2%9b2J%e2%80%ae%e2%80%a8%c2%85",
    b"/%ff%fe%80",
    b"/%7f%08%08%08",
    b'/"><script>alert(1)</script>',
    b"/\\x1b{seconds}{log_format}",
    b"/raise%1b%5b31m%0d%0aforged",
]
VALUES = [
    b'"quoted" \\" back\\slash',
    b"caf\xe9 \xc3\xa9 \x9b2J \x85 \xff",
    b"\t\x80\x81",
    b"<script>alert(1)</script>",
    b"{log_system} %s %(x)s ${x}",
    b"Basic \xff\x9b",
]
HEADERS = [b"User-Agent", b"Referer", b"Authorization", b"X-Forwarded-For", b"Cookie"]


def requests() -> list[bytes]:
    """Each on a connection of its own, which ends with it."""
    found = []
    for method in (b"GET", b"!#$%&'*+-.^_`|~"):
        lines = b"HTTP/1.1\r\nHost: a\r\n"
        found += [b"%b %b %b" % (method, path, lines) for path in PATHS]
    for value in VALUES:
        lines = b"".join(b"%b: %b\r\n" % (name, value) for name in HEADERS)
        found.append(b"GET /raise HTTP/1.1\r\nHost: a\r\n" + lines)
        found.append(b"GET /refused HTTP/1.1\r\nHost: %b\r\n" % value + lines)
    for text in (ESCAPES, b"\0", b"\x7f", b"\xff\n", b"a\rb"):
        found.append(b"GET /%b HTTP/1.1\r\nHost: a\r\n" % text)
        found.append(b"G%bT / HTTP/1.1\r\nHost: a\r\n" % text)
        found.append(b"GET / HTTP/1.1\r\nHost: %b\r\n" % text)
        found.append(b"GET / HTTP/1.1\r\nHost: a\r\nX%b: y\r\n" % text)
        found.append(b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: %b\r\n" % text)
        found.append(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\n" % text)
    return [one + b"Connection: close\r\n\r\n" for one in found]


REFUSED = [one.sent for one in ATTACKS if one.status >= 400 and not one.breaks_off]
COMBINED = re.compile(
    rb'127\.0\.0\.1 - - \[[^]]+\] "[^"]* HTTP/1\.[01]" \d{3} [\d-]+'
    rb' "[^"]*" "[^"]*"'
)


@pytest.fixture(scope="module", params=["combined", "json"])
def logs(request, tmp_path_factory):
    """The log of a server that has seen them all, its access log, all its answers."""
    folder = tmp_path_factory.mktemp("hostile")
    site = Site(folder, "talkative")
    site.write("passenger_wsgi.py", TALKATIVE)
    access = folder / "access"
    settings = {"access_log": str(access), "access_log_format": request.param}
    if request.param == "json":
        settings["environment"] = "development"
    with serve(folder, site, **settings) as server:
        answers = b"".join([talk(server, one) for one in (*requests(), *REFUSED)])
        server.stop()
        return request.param, server.log_file.read_bytes(), access.read_bytes(), answers


def test_all_that_is_logged_is_printable(logs):
    """Plain ASCII; what an app prints may have other letters, but nothing else."""
    _, log, access, _ = logs
    lines = log.split(b"\n")
    assert [line for line in lines if not line.decode().isprintable()] == []
    ours = [line for line in lines if b" output: " not in line]
    assert [line for line in ours if not line.isascii()] == []
    assert len(lines) - len(ours) > len(requests()) / 3
    assert not re.search(rb"[^\n\x20-\x7e]", access)


def test_no_line_is_forged(logs):
    """Each line is one of the server's own; none was begun by a client."""
    kind, log, access, _ = logs
    lines = access.splitlines()
    assert len(lines) == len(requests()) + len(REFUSED)
    if kind == "json":
        assert {json.loads(line)["remote"] for line in lines} == {"127.0.0.1"}
    else:
        assert [line for line in lines if not COMBINED.fullmatch(line)] == []
    ours = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} \[[\w.#<>-]+\] ")
    assert [line for line in log.splitlines() if not ours.match(line)] == []


def test_no_page_shows_what_the_client_has_sent(logs):
    """Not even escaped: the error pages, of a server in development, too."""
    *_, answers = logs
    assert answers.count(b"<!DOCTYPE html>") >= len(REFUSED)
    assert not re.search(rb"alert|owned|forged|[^\r\n\x20-\x7e]", answers)
