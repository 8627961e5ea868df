"""Error pages, and what they must not show."""

from __future__ import annotations

import pytest

from passtwist.errors import SpawnError
from passtwist.http.error_pages import error_page, status_text
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


def test_in_production_nothing_is_shown_but_status_and_id():
    """No path, no traceback, no name of anything inside."""
    head, body = error_page(500, b"id-1", "production", "why /srv", ERROR)
    assert head.startswith(b"500 Internal Server Error\r\n")
    assert check_head(head).status == 500
    text = body.decode()
    assert "500 Internal Server Error" in text
    assert "Request id: <code>id-1</code>" in text
    assert f"Error id: <code>{ERROR.id}</code>" in text
    for secret in ("srv", "Import", "virtualenv", "hunter2", "why", "ython", "wisted"):
        assert secret not in text


def test_in_development_all_is_shown_but_secrets():
    """Summary, advice, details, journey with the failed step, output."""
    text = error_page(500, b"id-1", "development", "why", ERROR)[1].decode()
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
    text = error_page(400, b"id-1", "development", "a <b>")[1].decode()
    assert "<p>a &lt;b&gt;</p>" in text


def test_an_id_of_a_proxy_is_escaped():
    """It came from outside."""
    text = error_page(400, b"<i>", "production")[1].decode()
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
