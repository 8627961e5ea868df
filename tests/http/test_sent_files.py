"""Files that an app has sent for it, by X-Sendfile and X-Accel-Redirect."""

from __future__ import annotations

import os

import pytest
from twisted.internet.address import IPv4Address

from passtwist.http.config import FrontEndConfig, Site

MODIFIED = b"Sun, 06 Nov 1994 08:49:37 GMT"
NOON_NS = 784111777 * 10**9
PROXY = IPv4Address("TCP", "127.0.0.1", 40000)
REQUEST = b"%b / HTTP/1.1\r\nHost: a\r\n%b\r\n"


class Shop:
    """An app that names files, on the bench."""

    def __init__(self, bench, root):
        self.bench = bench
        self.root = root
        self.client = None
        media = root / "media"
        media.mkdir(parents=True)
        for name, content in (("a b.txt", b"hello"), ("%41.txt", b"percent")):
            (media / name).write_bytes(content)
            os.utime(media / name, ns=(NOON_NS, NOON_NS))
        (root / "settings.py").write_text("SECRET")

    def serve(self, peer=None, **keys):
        if self.client is not None:
            self.client.leave()
        keys = keys or {"sendfile": ("media",), "accel": (("/protected", "media"),)}
        config = FrontEndConfig(
            spool_dir=str(self.bench.folder), trusted_proxies=("127.0.0.0/8",)
        )
        site = Site("shop", root=str(self.root), **keys)
        self.bench.configure(site, config=config)
        self.client = self.bench.connect(*([peer] if peer else []))

    def ask(self, *lines, method=b"GET", headers=(), body=b"of the app"):
        """What the client gets when the app answers with these lines."""
        block = b"".join(line + b"\r\n" for line in (b"200 OK", *lines))
        if lines and lines[0][:3].isdigit():
            block = b"".join(line + b"\r\n" for line in lines)
        self.bench.answers(block, body)
        asked = b"".join(header + b"\r\n" for header in headers)
        answer = self.client.send(REQUEST % (method, asked))
        head, _, body = answer.partition(b"\r\n\r\n")
        status, *rest = head.split(b"\r\n")
        return status[9:], rest, body

    def by_path(self, name):
        return b"X-Sendfile: " + os.fsencode(self.root / "media") + b"/" + name


@pytest.fixture
def shop(bench, tmp_path):
    shop = Shop(bench, tmp_path / "shop")
    shop.serve()
    return shop


def test_the_file_is_sent_with_the_apps_headers(shop):
    """In place of its body; what the app did not say is filled in."""
    status, lines, body = shop.ask(
        b"Content-Type: application/pdf",
        b"Set-Cookie: a=b",
        shop.by_path(b"a b.txt"),
        b"Content-Disposition: attachment",
        b"Content-Length: 10",
    )
    assert (status, body) == (b"200 OK", b"hello")
    assert sorted(lines) == [
        b"Accept-Ranges: bytes",
        b"Content-Disposition: attachment",
        b"Content-Length: 5",
        b"Content-Type: application/pdf",
        b"Date: " + MODIFIED,
        b'ETag: "%x-5"' % NOON_NS,
        b"Last-Modified: " + MODIFIED,
        b"Set-Cookie: a=b",
        b"X-Request-Id: id-1",
    ]


def test_a_uri_is_found_by_its_beginning(shop):
    """Escaped as in a request; a query does not count."""
    status, lines, body = shop.ask(b"X-Accel-Redirect: /protected/a%20b.txt?x=1")
    assert (status, body) == (b"200 OK", b"hello")
    assert b"Content-Type: text/plain; charset=utf-8" in lines
    assert not [line for line in lines if line.startswith(b"X-Accel")]


def test_a_path_may_be_escaped_or_not(shop):
    """As it is, first: a file may well be called so."""
    assert shop.ask(shop.by_path(b"a%20b.txt"))[2] == b"hello"
    assert shop.ask(shop.by_path(b"%41.txt"))[2] == b"percent"


def test_the_response_may_come_in_pieces(shop):
    """What the app says behind its head is for nobody, and its worker is let go."""
    shop.bench.pool._answer = None
    shop.client.send(REQUEST % (b"GET", b""))
    session = shop.bench.pool.last
    responder = session.responder
    responder.begin(b"200 OK\r\n" + shop.by_path(b"a b.txt") + b"\r\n")
    responder.write(b"of the app")
    responder.finish()
    assert shop.client.take().endswith(b"\r\n\r\nhello")
    assert session.calls == ["abandon"]
    assert shop.ask(shop.by_path(b"a b.txt"))[2] == b"hello"


def test_conditions_and_ranges_are_looked_at_here(shop):
    """By the app's own ETag, if it has one, and also when it did half the work."""
    named = (shop.by_path(b"a b.txt"), b'ETag: "app"')
    asked = (b'If-None-Match: "app"',)
    status, lines, body = shop.ask(*named, headers=asked)
    assert (status, body) == (b"304 Not Modified", b"")
    assert b'ETag: "app"' in lines
    asked = (b"Range: bytes=1-2",)
    # As Flask answers, which knows ranges.
    half_done = (b"206 PARTIAL CONTENT", b"Content-Range: bytes 1-2/5", *named)
    for said in (named, half_done):
        status, lines, body = shop.ask(*said, headers=asked)
        assert (status, body) == (b"206 Partial Content", b"el")
        assert [line for line in lines if line.startswith(b"Content-Range")] == [
            b"Content-Range: bytes 1-2/5"
        ]
    status, lines, body = shop.ask(*half_done)
    assert (status, body) == (b"200 OK", b"hello")


def test_head_gets_the_head(shop):
    """With the length of the file."""
    status, lines, body = shop.ask(shop.by_path(b"a b.txt"), method=b"HEAD")
    assert (status, body) == (b"200 OK", b"")
    assert b"Content-Length: 5" in lines


def test_another_status_stays_and_is_sent_whole(shop):
    """A page for an error may be a file; one without a body stays without."""
    named, asked = shop.by_path(b"a b.txt"), (b"Range: bytes=1-2",)
    status, _, body = shop.ask(b"403 Forbidden", named, headers=asked)
    assert (status, body) == (b"403 Forbidden", b"hello")
    status, _, body = shop.ask(b"304 Not Modified", named)
    assert (status, body) == (b"304 Not Modified", b"")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"X-Sendfile: ROOT/settings.py", 500),
        (b"X-Sendfile: ROOT/media/../settings.py", 500),
        (b"X-Sendfile: ROOT/media/%2e%2e/settings.py", 500),
        (b"X-Sendfile: ROOT/media", 500),
        (b"X-Sendfile: media/a b.txt", 500),
        (b"X-Sendfile: /etc/passwd", 500),
        (b"X-Accel-Redirect: /media/a.txt", 500),
        (b"X-Accel-Redirect: /protected/../settings.py", 500),
        (b"X-Accel-Redirect: /protected/%2e%2e/settings.py", 500),
        (b"X-Accel-Redirect: /protected/", 500),
        (b"X-Accel-Redirect: /protected/none", 404),
        (b"X-Sendfile: ROOT/media/none", 404),
        (b"X-Sendfile: ROOT/media/link", 404),
    ],
)
def test_nothing_else_is_sent(shop, line, status):
    """Outside of the folders it is the app's fault; in them it may be missing."""
    (shop.root / "media" / "link").symlink_to(shop.root / "settings.py")
    found, _, body = shop.ask(line.replace(b"ROOT", os.fsencode(shop.root)))
    assert int(found[:3]) == status
    assert b"SECRET" not in body
    assert b"of the app" not in body
    assert b"settings.py" not in body
    assert shop.ask(shop.by_path(b"a b.txt"))[2] == b"hello"


@pytest.mark.parametrize("name", [b"X-Sendfile: /x", b"X-Accel-Redirect: /x"])
def test_without_the_setting_it_is_for_a_trusted_proxy_or_for_nobody(shop, name, lines):
    """nginx in front reads it; a client must not learn paths of this machine."""
    logged = lines
    for keys in ({"public": ""}, {"sendfile": (), "static": (("/s", "media"),)}):
        shop.serve(**keys)
        status, lines, body = shop.ask(b"X-One: 1", name)
        assert (status, body) == (b"200 OK", b"of the app")
        assert b"X-One: 1" in lines
        assert name not in lines
        shop.serve(peer=PROXY, **keys)
        status, lines, body = shop.ask(b"X-One: 1", name)
        assert (status, body) == (b"200 OK", b"of the app")
        assert name in lines
        # Its length is that of a file that somebody else sends.
        status, _, body = shop.ask(name, b"Content-Length: 99", body=b"")
        assert (status, body) == (b"200 OK", b"")
    header, _, _ = name.decode().partition(":")
    setting = {"X-Sendfile": "sendfile", "X-Accel-Redirect": "accel"}[header]
    told = (
        f"request id-1 of shop: 200: the app names a file in {header}, and its "
        f"setting {setting} names no folder; the header was dropped"
    )
    assert logged == [told, told]


def test_a_client_can_not_name_files(shop):
    """Neither a file, nor where such files are: the app never sees these headers."""
    shop.ask(
        headers=(
            b"X-Sendfile: /etc/passwd",
            b"X-Sendfile-Type: X-Accel-Redirect",
            b"X-Accel-Mapping: /=/etc/",
            b"X-Accel-Redirect: /x",
        )
    )
    environ = shop.bench.pool.last.environ
    assert not [key for key in environ if "ACCEL" in key or "SENDFILE" in key]


@pytest.mark.parametrize("header", [b"Range: bytes=0-1", b"If-None-Match: *"])
def test_what_was_done_is_answered_whole(shop, header):
    """Conditions and ranges are for who only reads; a POST has been carried out."""
    headers = [header, b"Content-Length: 0"]
    answer = shop.ask(shop.by_path(b"a b.txt"), method=b"POST", headers=headers)
    assert (answer[0], answer[2]) == (b"200 OK", b"hello")
