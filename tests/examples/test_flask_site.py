"""examples/flask_site: a session, a form, an upload, a stream."""

from __future__ import annotations

import hashlib

import pytest


@pytest.fixture(scope="module")
def open_flask(open_site):
    return lambda: open_site("flask_site", "app:app", "/flask")


@pytest.fixture(scope="module")
def site(open_flask):
    return open_flask()


def test_it_counts_a_visitors_visits_in_the_session(site):
    """The count goes up with the visitor's cookie, and starts anew without."""
    site.cookies.clear()
    assert "You have been here 1 time." in site.get("/").text
    assert "You have been here 2 times." in site.get("/").text
    site.cookies.clear()
    assert "You have been here 1 time." in site.get("/").text


def test_it_remembers_a_name_and_escapes_it(site):
    """The form leads back to the page below the base URI, which greets."""
    answer = site.post("/", name="<Ada>")
    assert answer.status == "302 FOUND"
    assert answer.header("Location") == "/flask/"
    assert "<h1>Hello, &lt;Ada&gt;!</h1>" in site.get("/").text


def test_it_tells_what_an_uploaded_file_is_like(site):
    """Name, size and digest of the upload, byte for byte."""
    content = bytes(range(256)) * 40
    answer = site.post("/upload", file=("a&b.bin", content))
    assert answer.status == "200 OK"
    assert "<dd>a&amp;b.bin</dd>" in answer.text
    assert "<dd>10240 bytes</dd>" in answer.text
    assert f"<dd>{hashlib.sha256(content).hexdigest()}</dd>" in answer.text


def test_an_upload_without_a_file_shows_the_form_again(site):
    """Nothing chosen is no error."""
    answer = site.post("/upload", other="x")
    assert answer.status == "200 OK"
    assert "<dl>" not in answer.text


def test_it_streams_lines_in_pieces(site):
    """Each line is a piece of its own, so a server can send it at once."""
    answer = site.get("/stream?lines=3&pause=0")
    expected = ["line 1 of 3\n", "line 2 of 3\n", "line 3 of 3\n"]
    assert [piece for piece in answer.pieces if piece] == expected
    assert answer.header("Content-Length") is None


def test_links_stay_below_the_base_uri(site):
    """SCRIPT_NAME is in front of every address on the page."""
    text = site.get("/").text
    assert 'href="/flask/upload"' in text
    assert 'href="/flask/stream"' in text


def test_healthz_says_ok(site):
    """The address for `health_check`."""
    answer = site.get("/healthz")
    assert (answer.status, answer.body) == ("200 OK", b"ok\n")
