"""Error pages, and what they must not show."""

from __future__ import annotations

import html
import json
import platform

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyClass

from passtwist.api.error_page import ErrorFacts
from passtwist.api.interfaces import IErrorPage
from passtwist.errors import SpawnError
from passtwist.http.config import FrontEndConfig
from passtwist.http.pages.errors import ErrorPages, Problem, status_text
from passtwist.http.refusal import Refusal
from passtwist.http.response_head import check_head
from passtwist.model import Step

ERROR = SpawnError(
    "app-error",
    "app /srv/shop: step load_app raised <ImportError>",
    advice="Is the virtualenv set?",
    detail='File "/srv/shop/wsgi.py"\nSECRET_KEY = "hunter2"',
    journey=(
        Step("spawn manager", 10, "start", "done", 0.0, 0.25),
        Step("worker", 0, "load_app", "failed", 0.25, None),
    ),
    output="connecting to postgres://shop:hunter2@db/shop",
)


def page(*facts, **more):
    """Head and body of a page of the server's own."""
    return ErrorPages().make(Problem(*facts, **more))


def test_in_production_nothing_is_shown_but_status_and_id():
    """No path, no traceback, no name of anything inside."""
    head, body = page(500, b"id-1", "production", "why /srv", ERROR)
    assert head.startswith(b"500 Internal Server Error\r\n")
    assert check_head(head).status == 500
    text = body.decode()
    assert "500 Internal Server Error" in text
    assert "Request id: <code>id-1</code>" in text
    assert f"Error id: <code>{ERROR.id}</code>" in text
    for secret in ("srv", "Import", "virtualenv", "hunter2", "why", "ython", "wisted"):
        assert secret not in text


def test_no_status_says_more_in_production_than_its_name_and_the_ids():
    """Whatever the reason is, whatever takes it: neither the page nor its head."""
    for status in (*range(400, 600), 999):
        for accept in (b"*/*", b"application/json"):
            made = page(
                status,
                b"id-1",
                "production",
                "why /srv hunter2",
                ERROR,
                "shop",
                accept,
            )
            title = status_text(status)
            text = b"".join(made).decode()
            for known in (html.escape(title), title[4:], title[:3], "id-1", ERROR.id):
                text = text.replace(known, "")
            for secret in (
                *("srv", "Import", "virtualenv", "hunter2", "why", "shop"),
                *("ython", "wisted", platform.python_version(), "Traceback"),
            ):
                assert secret not in text, (status, accept)


def test_in_development_all_is_shown_but_secrets():
    """Summary, advice, details, journey with the failed step, output."""
    text = page(500, b"id-1", "development", "why", ERROR)[1].decode()
    for shown in (
        "app /srv/shop: step load_app raised &lt;ImportError&gt;",
        "Is the virtualenv set?",
        'File "/srv/shop/wsgi.py"',
        '<tr class="done"><td>spawn manager</td><td>10</td><td>start</td><td>done</td>',
        '<tr class="failed"><td>worker</td><td></td><td>load_app</td>',
        f"<code>{ERROR.id}</code>",
        "postgres://shop:********@db/shop",
    ):
        assert shown in text
    assert "hunter2" not in text


def test_in_development_a_reason_is_shown():
    """Escaped."""
    text = page(400, b"id-1", "development", "a <b>")[1].decode()
    assert "<p>a &lt;b&gt;</p>" in text


def test_an_id_of_a_proxy_is_escaped():
    """It came from outside."""
    text = page(400, b"<i>", "production")[1].decode()
    assert "&lt;i&gt;" in text


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (404, "404 Not Found"),
        (413, "413 Content Too Large"),
        (414, "414 URI Too Long"),
        (599, "599 Error"),
    ],
)
def test_status_texts(status, text):
    """RFC 9110's words, on every version of Python."""
    assert status_text(status) == text


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        (b"application/json", True),
        (b"application/json, text/plain, */*", True),
        (b"application/vnd.api+JSON", True),
        (b"text/html,application/json;q=0.9", False),
        (b"*/*", False),
        (b"", False),
    ],
)
def test_who_takes_json_and_no_html_gets_json(accept, is_json):
    """An object of RFC 9457."""
    head, body = page(503, b"id-1", "production", "why", accept=accept)
    kind = b"application/problem+json" if is_json else b"text/html; charset=utf-8"
    assert b"\r\nContent-Type: %b\r\n" % kind in head
    if is_json:
        assert json.loads(body) == {
            "status": 503,
            "title": "Service Unavailable",
            "request_id": "id-1",
        }


def test_in_development_json_says_why():
    """As far as one line goes."""
    facts = (500, b"id-1", "development", "why")
    takes_json = {"accept": b"application/json"}
    assert json.loads(page(*facts, **takes_json)[1])["detail"] == "why"
    found = json.loads(page(*facts, ERROR, **takes_json)[1])
    assert (found["detail"], found["error_id"]) == (ERROR.summary, ERROR.id)


@implementer(IErrorPage)
class OwnPage:
    """Somebody's own pages: *answer*, or what it raises."""

    name = "own"
    description = "of a test"

    def __init__(self, answer):
        self.answer = answer
        self.facts = []

    def page(self, facts):
        self.facts.append(facts)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


verifyClass(IErrorPage, OwnPage)


def test_somebodys_own_page_takes_the_place_of_ours(bench):
    """It is told what a visitor may know, and may load what it likes."""
    own = OwnPage(b"<p>sorry")
    bench.configure(config=FrontEndConfig(spool_dir=str(bench.folder), error_page=own))
    client = bench.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nAccept: a/json\r\n\r\n")
    bench.pool.last.responder.answer(b"OK\r\n", b"")
    data = client.take()
    assert data.startswith(
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/h"
    )
    assert b"Content-Security-Policy" not in data
    assert data.endswith(b"\r\n\r\n<p>sorry")
    assert own.facts == [
        ErrorFacts(500, "500 Internal Server Error", "id-1", "", "shop", True)
    ]


@pytest.mark.parametrize("environment", ["production", "development"])
def test_it_may_leave_a_page_to_us_and_is_not_asked_in_development(environment):
    """Where the server's own says more."""
    own = OwnPage(None)
    made = ErrorPages(own).make(Problem(404, b"id-1", environment))
    assert made == page(404, b"id-1", environment)
    assert len(own.facts) == (environment == "production")


@pytest.mark.parametrize("answer", [ZeroDivisionError(), "text"])
def test_one_that_fails_is_logged_once_a_minute_and_ours_is_sent(
    answer, logged_failures
):
    """A visitor gets a page anyway."""
    now = [0.0]
    pages = ErrorPages(OwnPage(answer), lambda: now[0])
    for at, failures in ((0.0, 1), (59.0, 0), (60.0, 1)):
        now[0] = at
        made = pages.make(Problem(404, b"id-1", "production"))
        assert made == page(404, b"id-1", "production")
        kinds = (ZeroDivisionError, TypeError)
        assert len(logged_failures.flush(*kinds)) == failures


@pytest.mark.parametrize(
    ("refusal", "line"),
    [
        (Refusal(405, "why", False, b"Allow: GET, HEAD\r\n"), b"Allow: GET, HEAD"),
        (Refusal(416, "why", False, b"Content-Range: bytes */5\r\n"), b"Content-Range"),
        (Refusal(503, "why", False), b"Retry-After: 1"),
    ],
)
def test_a_refusal_has_the_headers_that_its_status_needs(bench, refusal, line, lines):
    """And a request id, no body for HEAD, and only what lacked something is logged."""
    client = bench.connect()
    client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    bench.pool.last.responder.refuse(refusal)
    head, end, body = client.take().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % refusal.status)
    assert b"\r\n" + line in head
    assert b"\r\nX-Request-Id: id-1" in head
    assert (end, body) == (b"\r\n\r\n", b"")
    logged = ["request id-1 of shop: 503: why"] if refusal.status == 503 else []
    assert lines == logged


def test_a_request_id_is_on_every_response(bench):
    """Whole, in pieces, without a body, interim or not understood."""
    bench.configure(config=FrontEndConfig(spool_dir=str(bench.folder), powered_by=True))
    get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    client = bench.connect()
    for number, head in enumerate((b"200 OK\r\n", b"304 Not Modified\r\n"), 1):
        client.send(get)
        bench.pool.last.responder.answer(head, b"")
        data = client.take()
        assert b"\r\nX-Request-Id: id-%d\r\n" % number in data
        assert b"\r\nX-Powered-By: passtwist\r\n" in data
    client.send(get)
    bench.pool.last.responder.begin(b"200 OK\r\nX-Powered-By: me\r\n")
    data = client.take()
    assert b"\r\nX-Request-Id: id-3\r\n" in data
    assert data.count(b"X-Powered-By") == 1
    assert b"Server:" not in data
    assert b"\r\nX-Request-Id: id-4\r\n" in bench.connect().send(b"nonsense\r\n\r\n")
