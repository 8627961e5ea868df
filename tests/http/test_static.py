"""Files that are served without asking the app: `static` and `public`."""

from __future__ import annotations

import json
import os

import pytest

from passtwist.http.access_log import AccessLog
from passtwist.http.config import FrontEndConfig, Site

NOON_NS = 784111777 * 10**9  # Sun, 06 Nov 1994 08:49:37 GMT
MODIFIED = b"Sun, 06 Nov 1994 08:49:37 GMT"
TAG = b'"%x-5"' % NOON_NS
CSS = b"body{}"


class FilesOf:
    """A site with files on the bench.

    :ivar root: the app's folder.
    """

    def __init__(self, bench, root):
        self.bench = bench
        self.root = root
        self.client = None

    def write(self, path, content=b"hello", at=NOON_NS):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, ns=(at, at))
        return file

    def serve(self, *, log=None, **keys):
        if self.client is not None:
            self.client.leave()
        keys.setdefault("static", (("/static", "files"),))
        self.bench.configure(Site("shop", root=str(self.root), **keys), access_log=log)
        self.bench.answers(b"200 OK\r\nContent-Type: text/plain\r\n", b"the app")
        self.client = self.bench.connect()

    def ask(self, path, *headers, method="GET"):
        """Status, headers and body of the answer; the connection is kept."""
        lines = [f"{method} {path} HTTP/1.1", "Host: a", *headers, "", ""]
        if self.client is None:
            self.serve()
        return parsed(self.client.send("\r\n".join(lines).encode("latin-1")))

    def status(self, path, *headers, method="GET"):
        return self.ask(path, *headers, method=method)[0]

    def is_app(self, path, **how):
        return self.ask(path, **how)[2] == b"the app"


def parsed(data):
    """Status, headers by name in lower case, and body."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(": ")
        assert name.lower() not in headers, f"{name} is there twice"
        headers[name.lower()] = value
    return int(first.split()[1]), headers, body


@pytest.fixture
def site(bench, tmp_path):
    site = FilesOf(bench, tmp_path / "shop")
    site.write("files/a.txt")
    site.write("files/css/site.css", CSS)
    yield site
    if site.client is not None:
        assert not site.client.aborted


# --- the setting static -----------------------------------------------------------


def test_a_file_is_served_with_all_that_caches_need(site):
    """The whole answer; the pool is not asked."""
    status, headers, body = site.ask("/static/a.txt?v=2")
    assert (status, body) == (200, b"hello")
    assert headers == {
        "content-type": "text/plain; charset=utf-8",
        "content-length": "5",
        "accept-ranges": "bytes",
        "x-content-type-options": "nosniff",
        "vary": "Accept-Encoding",
        "cache-control": "max-age=60, public",
        "etag": TAG.decode(),
        "last-modified": MODIFIED.decode(),
        "date": MODIFIED.decode(),
        "x-request-id": "id-1",
    }
    assert site.bench.pool.sessions == []
    assert not site.client.closed


def test_who_sends_the_file_is_said_if_that_is_wanted(site):
    """The setting `powered_by` is for all responses."""
    config = FrontEndConfig(powered_by=True)
    new = Site("shop", root=str(site.root), static=(("/static", "files"),))
    site.serve()
    site.bench.front.prepare([new], config)()
    found = [site.ask("/static/a.txt")[1]["x-powered-by"] for _ in range(2)]
    assert found == ["passtwist", "passtwist"]


def test_head_says_the_same_without_the_file(site):
    """Length included."""
    _, wanted, _ = site.ask("/static/css/site.css")
    status, headers, body = site.ask("/static/css/site.css", method="HEAD")
    assert (status, body) == (200, b"")
    assert headers == wanted | {"x-request-id": "id-2"}


@pytest.mark.parametrize(
    "path",
    [
        *("/static/none", "/static/", "/static/css", "/static/css/", "/static/a.txt/"),
        *("/static/a.txt/x", "/static//a.txt", "/static/%2e%2e/secret.txt"),
        *("/static/../secret.txt", "/static/..%2fsecret.txt", "/static/css/../a.txt"),
        *("/static/%252e%252e/secret.txt", "/static/%c0%ae%c0%ae/secret.txt"),
        *("/static/..%5csecret.txt", "/static/.hidden", "/static/%2ehidden"),
        *("/static/" + "x" * 300, "/static/link.txt", "/static/fifo"),
        *("/static/a.txt%0a", "/static/%2fetc%2fpasswd", "/static/a.txt%20"),
    ],
)
def test_what_is_no_file_there_is_not_found(site, path):
    """By us, not by the app; the connection goes on."""
    site.write("secret.txt")
    site.write("files/.hidden")
    (site.root / "files" / "link.txt").symlink_to("a.txt")
    os.mkfifo(site.root / "files" / "fifo")
    status, headers, body = site.ask(path)
    assert (status, headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert b"hello" not in body
    assert site.bench.pool.sessions == []
    assert site.status("/static/a.txt") == 200


def test_a_nul_in_a_path_is_no_request(site):
    """As everywhere."""
    assert site.status("/static/a.txt%00.png") == 400


def test_only_reading_is_allowed(site):
    """405 names what is."""
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "get"):
        status, headers, _ = site.ask("/static/a.txt", method=method)
        assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert site.status("/static/a.txt", "Content-Length: 0", method="POST") == 405
    assert site.status("/static/a.txt") == 200
    assert site.bench.pool.sessions == []


def test_an_upload_to_a_file_is_refused_before_it_is_sent(site):
    """No "100 Continue": the client need not send it, and the connection ends."""
    length, expect = "Content-Length: 1000000", "Expect: 100-continue"
    status, headers, _ = site.ask("/static/a.txt", length, expect, method="PUT")
    assert (status, headers["connection"]) == (405, "close")
    assert site.client.closed


@pytest.mark.parametrize("buffered", [True, False])
def test_a_body_that_nobody_asked_for_is_no_request(site, buffered):
    """Also where apps get bodies as they come: what is left of it is thrown away."""
    site.serve(buffer_requests=buffered)
    inner = b"GET /static/a.txt HTTP/1.1\r\nHost: a\r\n\r\n"
    for method in (b"POST", b"GET"):
        head = b"%b /static/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
        answers = site.client.send(head % (method, len(inner)))
        answers += site.client.send(inner[:10])
        answers += site.client.send(inner[10:])
        assert answers.count(b"HTTP/1.1 ") == 1
        if site.client.closed:
            site.client = site.bench.connect()
    assert site.bench.pool.sessions == []


def test_the_longest_path_counts_and_others_are_the_apps(site):
    """At boundaries of segments."""
    site.write("other/a.txt", b"other")
    site.serve(static=(("/static", "files"), ("/static/more", "other")))
    assert site.ask("/static/more/a.txt")[2] == b"other"
    assert site.ask("/static/a.txt")[2] == b"hello"
    for path in ("/", "/static", "/static2/a.txt", "/Static/a.txt", "/x/static/a.txt"):
        assert site.is_app(path)


def test_a_site_below_a_path_has_its_files_there(site):
    """The paths of the setting begin at `base_uri`."""
    site.serve(base_uri="/shop")
    assert site.ask("/shop/static/a.txt")[2] == b"hello"
    assert site.status("/static/a.txt") == 404
    assert site.is_app("/shop")


def test_a_file_is_of_now(site):
    """Or of a second ago; what is changed is another file to caches."""
    _, before, _ = site.ask("/static/a.txt")
    site.write("files/a.txt", b"olleh", NOON_NS + 1)
    condition = f"If-None-Match: {before['etag']}"
    assert site.status("/static/a.txt", condition) == 304
    site.bench.pass_time(1)
    _, after, body = site.ask("/static/a.txt", condition)
    assert body == b"olleh"
    assert after["etag"] != before["etag"]
    (site.root / "files" / "a.txt").unlink()
    assert site.ask("/static/a.txt") == (
        200,
        after | {"x-request-id": "id-4"},
        b"olleh",
    )
    site.bench.pass_time(1)
    assert site.status("/static/a.txt") == 404


def test_in_development_a_file_is_of_now(site):
    """Who saves it wants to see it."""
    site.serve(environment="development")
    site.ask("/static/a.txt")
    site.write("files/a.txt", b"olleh", NOON_NS + 1)
    assert site.ask("/static/a.txt")[2] == b"olleh"


def test_what_is_kept_for_a_second_is_bounded(site):
    """Small files, so many and so much of them; others are read each time."""
    site.write("files/large", bytes(64 * 1024 + 1))
    for number in range(100):
        site.write(f"files/{number}", bytes(50_000))
    site.ask("/static/large")
    for number in range(100):
        site.ask(f"/static/{number}")
    (site.root / "files").rename(site.root / "gone")
    found = [number for number in range(100) if site.status(f"/static/{number}") == 200]
    assert found == list(range((4 << 20) // 52_050))
    assert site.status("/static/large") == 404


def test_a_client_that_asks_in_many_ways_fills_no_memory(site):
    """There are five ways to take compressed copies, however they are written."""
    site.write("files/b.txt", bytes(60_000))
    for number in range(100):
        site.ask("/static/b.txt", f"Accept-Encoding: gzip, x-{number}")
    site.ask("/static/a.txt")
    (site.root / "files").rename(site.root / "gone")
    assert site.status("/static/a.txt") == 200


def test_what_is_kept_is_asked_for_like_a_file(site):
    """Parts, heads, conditions and copies of it."""
    site.write("files/a.txt.gz", b"GZIP")
    asked = ("/static/a.txt", "Accept-Encoding: gzip")
    first = site.ask(*asked), site.ask("/static/a.txt")
    (site.root / "files").rename(site.root / "gone")
    again = site.ask(*asked), site.ask("/static/a.txt")
    assert [body for _, _, body in first + again] == [b"GZIP", b"hello"] * 2
    for (_, before, _), (_, after, _) in zip(first, again, strict=True):
        assert before | {"x-request-id": ""} == after | {"x-request-id": ""}
    status, headers, body = site.ask("/static/a.txt", "Range: bytes=1-3")
    assert (status, headers["content-range"], body) == (206, "bytes 1-3/5", b"ell")
    assert site.status("/static/a.txt", "Range: bytes=7-") == 416
    assert site.status("/static/a.txt", "If-Match: *", "If-None-Match: *") == 304
    status, headers, body = site.ask("/static/a.txt", method="HEAD")
    assert (status, headers["content-length"], body) == (200, "5", b"")


# --- conditions and ranges --------------------------------------------------------


def test_who_has_the_file_is_told_so(site):
    """304, with what a cache may renew."""
    status, headers, body = site.ask("/static/a.txt", f"If-None-Match: {TAG.decode()}")
    assert (status, body) == (304, b"")
    assert headers == {
        "vary": "Accept-Encoding",
        "cache-control": "max-age=60, public",
        "etag": TAG.decode(),
        "last-modified": MODIFIED.decode(),
        "date": MODIFIED.decode(),
        "x-request-id": "id-1",
    }
    since = f"If-Modified-Since: {MODIFIED.decode()}"
    assert site.status("/static/a.txt", since, method="HEAD") == 304
    assert site.status("/static/a.txt", 'If-Match: "other"') == 412


def test_a_part_is_sent_as_such(site):
    """206 with its place; where there is none, 416 with the size."""
    status, headers, body = site.ask("/static/a.txt", "Range: bytes=1-3")
    assert (status, body) == (206, b"ell")
    assert (headers["content-range"], headers["content-length"]) == ("bytes 1-3/5", "3")
    assert headers["etag"] == TAG.decode()
    status, headers, _ = site.ask("/static/a.txt", "Range: bytes=9-")
    assert (status, headers["content-range"]) == (416, "bytes */5")
    status, headers, body = site.ask("/static/a.txt", "Range: bytes=0-0,2-2")
    assert (status, body) == (200, b"hello")
    # HEAD has no parts (RFC 9110, 14.2).
    assert site.status("/static/a.txt", "Range: bytes=1-3", method="HEAD") == 200


# --- compressed copies, types, times ------------------------------------------------


def test_a_compressed_copy_is_sent_to_who_takes_it(site):
    """With the type of the file, and a tag of its own; ranges are of the copy."""
    site.write("files/css/site.css.gz", b"GZIP")
    site.write("files/css/site.css.br", b"BR")
    tags = set()
    for wish, coding, wanted in (
        ("gzip, br", "br", b"BR"),
        ("gzip", "gzip", b"GZIP"),
        ("br;q=0, gzip;q=0.1", "gzip", b"GZIP"),
        ("deflate", None, CSS),
        ("", None, CSS),
    ):
        _, headers, body = site.ask("/static/css/site.css", f"Accept-Encoding: {wish}")
        assert (body, headers.get("content-encoding")) == (wanted, coding)
        assert headers["content-type"] == "text/css; charset=utf-8"
        assert headers["vary"] == "Accept-Encoding"
        tags.add(headers["etag"])
    assert len(tags) == 3
    part = ("Accept-Encoding: gzip", "Range: bytes=1-")
    assert site.ask("/static/css/site.css", *part)[2] == b"ZIP"


def test_a_copy_without_its_file_is_a_file_like_others(site):
    """And what is compressed already is not looked for twice."""
    site.write("files/x.css.gz", b"GZIP")
    site.write("files/y.png", b"PNG")
    site.write("files/y.png.gz", b"GZIP")
    assert site.status("/static/x.css", "Accept-Encoding: gzip") == 404
    _, headers, body = site.ask("/static/x.css.gz", "Accept-Encoding: gzip")
    assert (headers["content-type"], body) == ("application/gzip", b"GZIP")
    assert "content-encoding" not in headers
    _, headers, body = site.ask("/static/y.png", "Accept-Encoding: gzip")
    assert (body, "vary" in headers) == (b"PNG", False)


def test_how_long_a_file_may_be_kept(site):
    """For ever when its name tells its content; a page is asked for each time."""
    names = {
        "site.55e7cbb9ba48.css": "max-age=31536000, public, immutable",
        "site.55e7cbb9ba48.css.map": "max-age=31536000, public, immutable",
        "site.123456789012.css": "max-age=3600, public",
        "site.css": "max-age=3600, public",
        "page.html": "no-cache",
    }
    for name in names:
        site.write(f"files/{name}")
    site.serve(static_max_age=3600.0)
    found = {name: site.ask(f"/static/{name}")[1]["cache-control"] for name in names}
    assert found == names
    site.serve(static_max_age=0.0)
    assert site.ask("/static/site.css")[1]["cache-control"] == "no-cache"
    site.serve(environment="development")
    assert site.ask("/static/site.css")[1]["cache-control"] == "no-cache"


# --- the folder public --------------------------------------------------------------


@pytest.fixture
def public(site):
    """A site with pages in its folder `public`, and no `static`."""
    for path in ("index.html", "about.html", "docs/index.html", "robots.txt"):
        site.write(f"public/{path}", path.encode())
    site.write("public/.env")
    site.write("public/.well-known/acme-challenge/token", b"token")
    (site.root / "public" / "empty").mkdir()
    site.serve(static=(), public="public")
    return site


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/robots.txt", "robots.txt"),
        ("/", "index.html"),
        ("/?page=2", "index.html"),
        ("/index.html", "index.html"),
        ("/about", "about.html"),
        ("/docs/", "docs/index.html"),
        ("/.well-known/acme-challenge/token", "token"),
        *((path, None) for path in ("/docs", "/about/", "/empty", "/empty/", "/none")),
        *((path, None) for path in ("/.env", "/docs/../robots.txt", "//robots.txt")),
        *((path, None) for path in ("/robots.txt/", "/robots.txt/x", "/" + "x" * 300)),
    ],
)
def test_a_file_in_public_comes_before_the_app(public, path, file):
    """As with Passenger; what is no file is the app's, and folders are not listed."""
    status, _, body = public.ask(path)
    assert (status, body) == (200, file.encode() if file else b"the app")


def test_what_is_not_in_public_is_looked_for_again_a_second_later(public):
    """An app may write pages there."""
    assert public.is_app("/new")
    public.write("public/new.html", b"new")
    assert public.is_app("/new")
    public.bench.pass_time(1)
    assert public.ask("/new")[2] == b"new"
    for number in range(600):
        assert public.is_app(f"/{number}")
    public.write("public/1.html", b"1")
    public.write("public/599.html", b"599")
    assert public.is_app("/1")
    assert public.ask("/599")[2] == b"599"


def test_public_is_only_for_reading(public):
    """Other methods are the app's, on the same path."""
    assert public.is_app("/about", method="POST")
    assert public.is_app("/", method="OPTIONS")
    status, headers, body = public.ask("/about", method="HEAD")
    assert (status, headers["content-length"], body) == (200, "10", b"")


def test_a_link_in_public_is_not_found_and_told_of(public, lines):
    """The app does not answer in its place: somebody meant it to be a file."""
    (public.root / "public" / "link.txt").symlink_to("robots.txt")
    assert public.status("/link.txt") == 404
    assert public.bench.pool.sessions == []
    reason = "a symbolic link is on the way, and links are not followed"
    assert lines == [f"request id-1 of shop: 404: {reason}"]


def test_public_may_come_and_go(site):
    """It is looked for once a second, not for each request."""
    site.serve(static=(), public="public")
    assert site.is_app("/robots.txt")
    site.write("public/robots.txt", b"robots")
    site.bench.pass_time(1)
    assert site.ask("/robots.txt")[2] == b"robots"
    (site.root / "public").rename(site.root / "private")
    site.bench.pass_time(1)
    assert site.is_app("/robots.txt")


def test_static_comes_before_public_and_public_may_be_another_folder(site):
    """Or none."""
    site.write("www/static/a.txt", b"public")
    site.write("www/b.txt", b"public")
    site.serve(public="www")
    assert site.ask("/static/a.txt")[2] == b"hello"
    assert site.ask("/b.txt")[2] == b"public"
    site.serve(static=(), public="")
    assert site.is_app("/b.txt")


def test_other_settings_hold_from_the_next_request_on(site):
    """A reload needs no restart."""
    assert site.ask("/static/a.txt")[2] == b"hello"
    site.write("other/a.txt", b"other")
    new = Site("shop", root=str(site.root), static=(("/files", "other"),))
    site.bench.front.prepare([new], FrontEndConfig())()
    assert site.is_app("/static/a.txt")
    assert site.ask("/files/a.txt")[2] == b"other"


# --- logs -----------------------------------------------------------------------------


def test_the_access_log_has_files_too(site, tmp_path):
    """With the app's name and no worker."""
    log = AccessLog(str(tmp_path / "log"), "json")
    log.open()
    site.serve(log=log)
    site.ask("/static/a.txt", "Range: bytes=1-")
    site.ask("/static/none")
    log.close()
    lines = map(json.loads, (tmp_path / "log").read_text().splitlines())
    keys = ("status", "sent", "app", "worker")
    found = [tuple(line[key] for key in keys) for line in lines]
    assert found[0] == (206, 4, "shop", 0)
    assert found[1][0] == 404
    assert found[1][2:] == ("shop", 0)
