"""Files on a real server, and the recipes of the how-to."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from tests.docs.pages import Page
from tests.integration.accounts import OWNER, PYTHON, give
from tests.integration.sites import Site, serve

PAGE = Page(Path(__file__).parents[2] / "docs" / "how-to" / "serve-files.md")
DJANGO = """
import os
from django.conf import settings

BASE = os.path.dirname(os.path.abspath(__file__))
settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    MEDIA_ROOT=BASE + "/media",
    SECRET_KEY="x" * 50,
)

%s

from django.core.wsgi import get_wsgi_application
from django.urls import path

urlpatterns = [path("invoices/<int:number>", invoice.__wrapped__)]
application = get_wsgi_application()
"""
PLAIN = """
def application(environ, start_response):
    start_response("200 OK", [("X-Sendfile", environ["QUERY_STRING"])])
    return []
"""


def recipe(file):
    """The block of the page that is this file."""
    (block,) = (one.text for one in PAGE.blocks if one.text.startswith(f"# {file}\n"))
    return block


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Two apps that have invoices, by Django and by Flask."""
    folder = tmp_path_factory.mktemp("files")
    keys = {"sendfile": ["media/"], "python": sys.executable}
    sites = [
        Site(folder, name, framework="wsgi", base_uri=f"/{name}", entry=entry, **keys)
        for name, entry in (("django", "passenger_wsgi"), ("flask", "app:app"))
    ]
    django, flask = sites
    django.keys.pop("entry")
    django.keys["static"] = {"/static/": "staticfiles"}
    django.write("passenger_wsgi.py", DJANGO % recipe("views.py"))
    flask.write("app.py", recipe("app.py"))
    for site in sites:
        (site.root / "media" / "invoices").mkdir(parents=True)
        site.write("media/invoices/7.pdf", f"by {site.name}")
    (django.root / "staticfiles").mkdir()
    django.write("staticfiles/a.css", "body{}")
    (flask.root / "public").mkdir()
    flask.write("public/robots.txt", "robots")
    with serve(folder, *sites) as server:
        yield server


def test_files_are_served_while_no_worker_runs(server):
    """Static ones, and those in public: nobody is started for them."""
    assert server.get("/django/static/a.css").text == "body{}"
    assert server.get("/flask/robots.txt").text == "robots"
    assert server.get("/django/static/none").status == 404
    assert [server.app(name)["state"] for name in ("django", "flask")] == [
        "stopped"
    ] * 2


@pytest.mark.parametrize("name", ["django", "flask"])
def test_the_recipes_of_the_how_to_have_files_sent(server, name):
    """By X-Sendfile, which does not reach the client; parts of it, too."""
    answer = server.get(f"/{name}/invoices/7")
    assert (answer.status, answer.text) == (200, f"by {name}")
    assert answer.headers["Content-Type"] == "application/pdf"
    assert "X-Sendfile" not in answer.headers
    part = server.get(f"/{name}/invoices/7", headers={"Range": "bytes=0-1"})
    assert (part.status, part.text) == (206, "by")
    assert server.get(f"/{name}/invoices/8").status == 404


@pytest.mark.root
def test_a_server_that_is_root_is_no_way_to_files_of_others():
    """Neither by a link, hard or soft, nor by the app's word."""
    folder = Path(tempfile.mkdtemp(prefix="ptw-"))
    folder.chmod(0o755)
    try:
        secret = folder / "secret"
        secret.write_text("SECRET")
        secret.chmod(0o600)
        site = Site(
            folder,
            python=PYTHON,
            public="public",
            sendfile=["public"],
        )
        site.write("passenger_wsgi.py", PLAIN)
        public = site.root / "public"
        public.mkdir()
        site.write("public/own", "own")
        (public / "own").chmod(0o600)
        give(site.root, OWNER)
        os.link(secret, public / "hard")
        (public / "soft").symlink_to(secret)
        with serve(folder, site, default_user="nobody") as server:
            assert server.get("/own").text == "own"
            assert server.get(f"/app?{public}/own").text == "own"
            for path in (
                "/hard",
                "/soft",
                f"/app?{public}/hard",
                f"/app?{public}/soft",
            ):
                answer = server.get(path)
                assert (answer.status, "SECRET" in answer.text) == (404, False)
            assert server.get(f"/app?{secret}").status == 500
            reasons = set(re.findall(r"of probe: (\d+: .*)", server.log()))
        assert len(reasons) == 5
    finally:
        shutil.rmtree(folder)
