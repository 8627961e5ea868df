"""examples/django_site: ORM, admin, sessions, uploads, below a base URI."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys

import pytest


def prepare(examples, data):
    """Run what `make serve` runs before the server."""
    return subprocess.run(
        [sys.executable, "-B", str(examples / "django_site" / "prepare.py")],
        env={**os.environ, "DJANGO_SITE_DATA": str(data)},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


@pytest.fixture(scope="module")
def data(examples, tmp_path_factory):
    """A data folder that is ready to serve."""
    folder = tmp_path_factory.mktemp("django_site") / "data"
    prepare(examples, folder)
    return folder


@pytest.fixture(scope="module")
def process(open_site, data):
    entry = "noticeboard.wsgi:application"
    return open_site("django_site", entry, "/django", DJANGO_SITE_DATA=str(data))


@pytest.fixture
def site(process):
    """The site, with a visitor who has not been there before."""
    process.cookies.clear()
    return process


def csrf_token(answer):
    """The token of the page's form."""
    return re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', answer.text).group(1)


def test_preparing_makes_the_admin_once_and_says_so(examples, tmp_path):
    """A second run leaves everything as it is."""
    told = "Made the user admin with the password admin (for this example only).\n"
    assert prepare(examples, tmp_path / "data") == told
    assert prepare(examples, tmp_path / "data") == ""
    database = sqlite3.connect(tmp_path / "data" / "db.sqlite3")
    users = database.execute("select username, is_superuser from auth_user").fetchall()
    database.close()
    assert users == [("admin", 1)]


def test_the_migrations_are_complete(examples, data):
    """Nothing in the models is missing from the committed migrations."""
    subprocess.run(
        [sys.executable, "-B", "manage.py", "makemigrations", "--check", "--dry-run"],
        cwd=examples / "django_site",
        env={**os.environ, "DJANGO_SITE_DATA": str(data)},
        check=True,
        capture_output=True,
        timeout=60,
    )


def test_the_board_lists_the_rows_of_the_database(site):
    """The first notices come with the migrations."""
    answer = site.get("/")
    assert answer.status == "200 OK"
    titles = re.findall(r"<h2>(.*?)</h2>", answer.text)
    assert titles == ["Welcome", "How to post"]


def test_the_board_counts_a_visitors_visits_in_the_session(site):
    """The session is in the database; its cookie is the visitor's."""
    assert "You have seen this page 1 time." in site.get("/").text
    assert "You have seen this page 2 times." in site.get("/").text


def test_links_stay_below_the_base_uri(site):
    """SCRIPT_NAME is enough; the settings name no prefix."""
    text = site.get("/").text
    assert 'href="/django/files/"' in text
    assert 'href="/django/admin/"' in text


def test_an_uploaded_file_is_listed_and_comes_back_byte_for_byte(site, data):
    """It is stored below media/, and downloaded as an attachment."""
    content = bytes(range(256)) * 300
    token = csrf_token(site.get("/files/"))
    answer = site.post(
        "/files/", csrfmiddlewaretoken=token, file=("summer <1>.txt", content)
    )
    assert (answer.status, answer.header("Location")) == ("302 Found", "/django/files/")

    listed = site.get("/files/").text
    assert "summer &lt;1&gt;.txt is on the board." in listed
    link = re.search(r'<a href="/django(/files/\d+/)">summer &lt;1&gt;.txt</a>', listed)
    download = site.get(link.group(1))
    assert download.status == "200 OK"
    assert download.body == content
    assert download.header("Content-Disposition").startswith("attachment;")
    stored = [path for path in (data / "media").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in stored] == [content]


def test_a_form_without_its_token_is_refused(site):
    """Cross-site request forgery protection is on."""
    answer = site.post("/files/", file=("a.txt", b"a"))
    assert answer.status == "403 Forbidden"


def test_an_upload_without_a_file_is_told_so(site):
    """The form comes back with the error."""
    token = csrf_token(site.get("/files/"))
    answer = site.post("/files/", csrfmiddlewaretoken=token)
    assert answer.status == "400 Bad Request"
    assert "This field is required." in answer.text


def test_the_admin_takes_the_demonstration_user(site):
    """Sign in, and see the models."""
    token = csrf_token(site.get("/admin/login/"))
    answer = site.post(
        "/admin/login/?next=/django/admin/",
        csrfmiddlewaretoken=token,
        username="admin",
        password="admin",
    )
    assert (answer.status, answer.header("Location")) == ("302 Found", "/django/admin/")
    index = site.get("/admin/")
    assert index.status == "200 OK"
    assert 'href="/django/admin/notices/notice/"' in index.text


def test_the_admins_style_sheets_are_served_below_the_base_uri(site):
    """So that the admin looks right, also with DEBUG off."""
    login = site.get("/admin/login/").text
    sheets = re.findall(r'href="/django(/static/admin/css/[\w.]+css)"', login)
    assert "/static/admin/css/base.css" in sheets
    for sheet in sheets:
        answer = site.get(sheet)
        assert (answer.status, answer.header("Content-Type")) == ("200 OK", "text/css")


def test_healthz_says_ok(site):
    """The address for `health_check`."""
    answer = site.get("/healthz")
    assert (answer.status, answer.body) == ("200 OK", b"ok\n")


def test_another_host_name_is_refused(process):
    """Only addresses of this machine are served."""
    answer = process.ask("GET", "/", host="evil.example")
    assert answer.status == "400 Bad Request"
