"""No path, however it is written, leads out of what is to be served."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passtwist.http.config import Site
from tests.http.conftest import Bench

# What a file says, by where it lies.
OPEN, SECRET = b"FOR CLIENTS", b"SECRET"
PIECES = [
    *("/", "//", "\\", "%2f", "%5c", "%252f", ".", "..", "%2e", "%2E%2e", "%252e%252e"),
    *("%c0%ae", "%00", "%0a", ";", "?", "*", "~", ":", "%20", "files", "public", "app"),
    *("static", "a.txt", "sub", "secret.txt", "settings.py", ".env", ".git", "link"),
    *("up", "fifo", "etc", "passwd", ".gz", ".html", "index", "", "x" * 300, "%ff"),
]
HEADERS = ("", "Accept-Encoding: gzip, br\r\n", "Range: bytes=0-3\r\n")


def make(root):
    """An app with files, and with what must not get out."""
    for path in ("files/a.txt", "files/sub/a.txt", "public/a.txt", "public/index.html"):
        file = root / "app" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(OPEN)
    for path in (
        *("app/settings.py", "app/secret.txt", "secret.txt", "app/.env", "files/a.txt"),
        *("app/files/.env", "app/files/.git/a.txt", "app/public/.env", "etc/passwd"),
        *("app/files2/a.txt", "app/public/sub/.git/a.txt"),
    ):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(SECRET)
    for folder in ("files", "public", "files/sub"):
        place = root / "app" / folder
        (place / "link").symlink_to(root / "secret.txt")
        (place / "up").symlink_to(root)
        (place / "settings.py").symlink_to("../settings.py")
        os.mkfifo(place / "fifo")


@pytest.fixture(scope="module")
def client():
    """Of a bench that is used for all examples."""
    folder = Path(tempfile.mkdtemp(prefix="ptw-"))
    make(folder)
    bench = Bench(folder)
    bench.configure(
        Site(
            "shop",
            root=str(folder / "app"),
            static=(("/static", "files"), ("/static/sub/deep", "files/sub")),
            public="public",
            environment="development",
        ),
        requests_per_connection=1_000_000,
    )
    bench.answers(body=b"the app")
    clients = [bench.connect()]

    def ask(request):
        if clients[0].closed:
            clients[0] = bench.connect()
        return clients[0].send(request)

    yield ask
    for one in bench.clients:
        if one.connection in bench.front.connections:
            one.leave()
    shutil.rmtree(folder)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), max_size=8),
    st.sampled_from(("/static/", "/static/sub/deep/", "/")),
    st.sampled_from(HEADERS),
)
def test_no_path_gets_at_anything_else(client, pieces, prefix, header):
    """Each is answered once: by a file that is open to all, the app, or an error."""
    target = (prefix + "".join(pieces)).encode("latin-1")
    head = b"GET %b HTTP/1.1\r\nHost: a\r\n%b\r\n"
    answer = client(head % (target, header.encode("ascii")))
    assert answer.count(b"HTTP/1.1 ") == 1
    status, body = int(answer[9:12]), answer.partition(b"\r\n\r\n")[2]
    assert SECRET not in answer
    assert b"SECR" not in body
    assert b"root:" not in body
    if status in (200, 206):
        assert body in (OPEN, OPEN[:4], b"the app")
    else:
        assert status in (400, 404, 414, 416)
