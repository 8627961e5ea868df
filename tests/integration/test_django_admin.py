"""Django's admin and the example's uploads, as a browser uses them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from passtwist.testing.waiting import wait_until
from tests.integration.sites import Site, serve

SITE = Path(__file__).parents[2] / "examples" / "django_site"
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The example with its database, outside of the tree."""
    folder = tmp_path_factory.mktemp("prepared") / "django_site"
    left_out = shutil.ignore_patterns("__pycache__", "data")
    shutil.copytree(SITE, folder, ignore=left_out)
    subprocess.run(
        [sys.executable, folder / "prepare.py"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return folder


@pytest.fixture(
    scope="module",
    params=[("/", "smart", 1), ("/django", "smart", 2), ("/django", "conservative", 2)],
    ids=["alone", "below a base URI", "conservative"],
)
def served(request, prepared, tmp_path_factory):
    """A server and the address of the site, with one worker or two."""
    mount, method, count = request.param
    folder = tmp_path_factory.mktemp("served")
    site = Site(
        folder,
        "django",
        prepared,
        base_uri=mount,
        spawn_method=method,
        min_instances=count,
        prestart=True,
    )
    shutil.copytree(prepared / "data", site.root / "data")
    with serve(folder, site, max_pool_size=2) as server:
        wait_until(lambda: len(server.workers("django", "idle")) == count, "workers")
        yield server, f"http://127.0.0.1:{server.port}{mount.rstrip('/')}"


@pytest.fixture
def browser(served):
    """A browser without cookies."""
    with httpx.Client(follow_redirects=True, timeout=30) as client:
        yield client


@pytest.fixture
def place(served):
    return served[1]


def submit(browser, page, fields, **more):
    """Fill in the form of a page that was got, with its token."""
    token = TOKEN.search(page.text).group(1)
    return browser.post(page.url, data={"csrfmiddlewaretoken": token, **fields}, **more)


def log_in(browser, place):
    """As the demonstration's user; answers with the admin's first page."""
    page = browser.get(f"{place}/admin/")
    assert page.url.path.endswith("/admin/login/")
    fields = {"username": "admin", "password": "admin"}
    return submit(browser, page, fields)


def test_the_admin_is_behind_a_login_and_a_logout(browser, place):
    """A wrong password is refused, the right one leads where one was going."""
    page = browser.get(f"{place}/admin/notices/notice/")
    wrong = submit(browser, page, {"username": "admin", "password": "wrong"})
    assert "Please enter the correct username and password" in wrong.text
    listed = submit(browser, wrong, {"username": "admin", "password": "admin"})
    assert str(listed.url) == f"{place}/admin/notices/notice/"
    assert listed.status_code == 200

    index = browser.get(f"{place}/admin/")
    gone = browser.post(
        f"{place}/admin/logout/",
        data={"csrfmiddlewaretoken": TOKEN.search(index.text).group(1)},
    )
    assert "Logged out" in gone.text
    assert browser.get(f"{place}/admin/").url.path.endswith("/admin/login/")


def test_a_notice_added_in_the_admin_is_on_the_board(browser, place):
    """At once, and escaped by the template."""
    assert log_in(browser, place).url.path.endswith("/admin/")
    page = browser.get(f"{place}/admin/notices/notice/add/")
    title = "Räume & <Zeiten>"
    saved = submit(browser, page, {"title": title, "text": "Heute\nund morgen"})
    assert saved.url.path.endswith("/admin/notices/notice/")
    assert "was added successfully" in saved.text
    assert "<h2>Räume &amp; &lt;Zeiten&gt;</h2>" in browser.get(f"{place}/").text


def test_an_uploaded_file_comes_back_byte_for_byte(browser, place):
    """Larger than what is kept in memory: it travels as a file."""
    content = bytes(range(256)) * 2000
    page = browser.get(f"{place}/files/")
    listed = submit(browser, page, {}, files={"file": ("große Datei.bin", content)})
    assert (listed.status_code, listed.url.path) == (200, page.url.path)
    found = re.search(r'<a href="([^"]+/\d+/)">große Datei.bin</a>', listed.text)
    download = browser.get(httpx.URL(listed.url).join(found.group(1)))
    assert download.status_code == 200
    assert download.content == content
    assert download.headers["Content-Length"] == str(len(content))


def test_a_form_without_its_token_is_refused(browser, place):
    """Django's protection sees the cookies that it set."""
    browser.get(f"{place}/files/")
    refused = browser.post(f"{place}/files/", files={"file": ("a", b"a")})
    assert refused.status_code == 403


def test_a_session_counts_its_visits(browser, place):
    """Its counter goes up by one with each visit."""
    for number in range(1, 7):
        times = "1 time" if number == 1 else f"{number} times"
        assert f"You have seen this page {times}." in browser.get(f"{place}/").text


def test_several_visitors_at_once_are_served_by_all_workers(served, place):
    """They see the same rows, and each has a session of its own."""
    server, _ = served

    def visit(_):
        with httpx.Client(timeout=30) as visitor:
            pages = [visitor.get(f"{place}/").text for _ in range(5)]
        return [
            ("<h2>How to post</h2>" in page, f"this page {number} time" in page)
            for number, page in enumerate(pages, 1)
        ]

    with ThreadPoolExecutor(4) as visitors:
        seen = [one for visits in visitors.map(visit, range(8)) for one in visits]
    assert seen == [(True, True)] * 40
    assert all(worker["requests"] for worker in server.workers("django"))


def test_nothing_was_logged_as_an_error(served):
    """Of all that the other tests did here."""
    server, _ = served
    assert server.app("django")["last_spawn_error"] is None
    for sign in ("Traceback", "Internal Server Error", "database is locked"):
        assert sign not in server.log()
    assert not re.search(r'HTTP/1\.1" 5\d\d ', server.log())
