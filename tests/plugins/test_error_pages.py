"""Error pages from the operator's folder."""

from __future__ import annotations

import os

import pytest
from zope.interface.verify import verifyObject

from passtwist.api.error_page import ErrorFacts
from passtwist.api.interfaces import IErrorPage
from passtwist.builtin.error_pages.plugin import MAX_PAGE, passtwist_error_page
from passtwist.errors import SettingsError


@pytest.fixture
def folder(tmp_path):
    """A page for 503, one for the other 5xx, and files that are none."""
    page = "<h1>{{title}}</h1>{{ app }} {{request_id}} {{error_id}} {{status}} {{x}}"
    (tmp_path / "503.html").write_text(page)
    (tmp_path / "5xx.html").write_bytes(b"others: \xff{status} {{status}}")
    (tmp_path / "504.html.bak").write_text("not this")
    (tmp_path / "200.html").write_text("not this")
    return tmp_path


def facts(status, **more):
    return ErrorFacts(status, f"{status} Why & how", "<id>", "e1", "shop", **more)


def test_a_page_is_that_of_the_status_or_of_its_hundred(folder):
    """Places are filled, and nothing in them is markup; 4xx has none here."""
    pages = passtwist_error_page(str(folder))
    assert verifyObject(IErrorPage, pages)
    filled = b"<h1>503 Why &amp; how</h1>shop &lt;id&gt; e1 503 {{x}}"
    assert pages.page(facts(503)) == filled
    assert pages.page(facts(504)) == b"others: \xff{status} 504"
    assert pages.page(facts(404)) is None
    assert pages.page(facts(503, wants_json=True)) is None


def test_without_the_setting_there_are_none():
    """The server makes its own."""
    assert passtwist_error_page("") is None


def test_pages_are_read_once(folder):
    """No request waits for a disk; a reload reads them again."""
    pages = passtwist_error_page(str(folder))
    (folder / "5xx.html").write_text("new")
    assert pages.page(facts(500)) == b"others: \xff{status} 500"
    assert passtwist_error_page(str(folder)).page(facts(500)) == b"new"


def missing(folder):
    return folder / "missing", "missing: No such file or directory; write the path"


def empty(folder):
    (folder / "empty").mkdir()
    return folder / "empty", "has no page; name them 503.html, or 5xx.html"


def large(folder):
    (folder / "500.html").write_bytes(b"x" * (MAX_PAGE + 1))
    return folder, f"500.html is larger than {MAX_PAGE} bytes"


def fifo(folder):
    os.mkfifo(folder / "500.html")
    return folder, "500.html is no regular file"


@pytest.mark.parametrize("make", [missing, empty, large, fifo])
def test_a_folder_that_is_of_no_use_is_an_error(folder, make):
    """With the place and what to do."""
    path, text = make(folder)
    with pytest.raises(SettingsError) as raised:
        passtwist_error_page(str(path))
    [problem] = raised.value.problems
    assert problem.startswith("[server]: error_pages: ")
    assert text in problem
