"""examples/wsgi_hello: one file with an `application`."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def site(open_site):
    return open_site("wsgi_hello", "passenger_wsgi:application", "/hello")


def test_it_shows_the_environ_and_escapes_it(site):
    """What a visitor sends is shown as text, never as markup."""
    answer = site.ask("GET", "/a?<script>", referer='<b a="1">')
    assert answer.status == "200 OK"
    assert "<tr><th>SCRIPT_NAME</th><td>/hello</td></tr>" in answer.text
    assert "<tr><th>PATH_INFO</th><td>/a</td></tr>" in answer.text
    assert "<td>&lt;script&gt;</td>" in answer.text
    assert "<td>&lt;b a=&quot;1&quot;&gt;</td>" in answer.text
    assert answer.header("Content-Length") == str(len(answer.body))


def test_head_has_the_headers_and_no_body(site):
    """HEAD answers like GET, without the page."""
    answer = site.ask("HEAD", "/")
    assert answer.status == "200 OK"
    assert answer.body == b""
    assert int(answer.header("Content-Length")) > 0
