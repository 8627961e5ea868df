"""The three examples, served as their users serve them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from passtwist.testing.server import RunningServer

ROOT = Path(__file__).parents[2]
METHODS = ("conservative", "smart-lv2", "smart")
# The site, and what its first page says.
PAGES = {
    "wsgi_hello": "<h1>Hello!</h1>",
    "flask_site": "You have been here 1 time.",
    "django_site": "<h2>How to post</h2>",
}
# Where examples/passtwist.toml mounts them.
MOUNTED = {
    "wsgi_hello": "/hello/",
    "flask_site": "/flask/",
    "django_site": "/django/",
}


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """A copy, ready to serve: apps and tests write into it."""
    folder = tmp_path_factory.mktemp("sites") / "examples"
    left_out = shutil.ignore_patterns("__pycache__", "data")
    shutil.copytree(ROOT / "examples", folder, ignore=left_out)
    subprocess.run(
        [sys.executable, folder / "django_site" / "prepare.py"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return folder


@pytest.mark.parametrize("site", PAGES)
def test_an_example_is_served_alone_at_the_root(examples, site):
    """`twistd -n passtwist DIR` is all that it takes."""
    with RunningServer(str(examples / site)) as server:
        response = server.get("/")
        assert (response.status, PAGES[site] in response.text) == (200, True)
        assert server.app(site)["last_spawn_error"] is None
        assert server.stop() == 0


@pytest.mark.parametrize("method", METHODS)
def test_the_examples_are_served_by_each_spawn_method(examples, method):
    """Several folders on the command line are served each below its name."""
    folders = [str(examples / site) for site in PAGES]
    with RunningServer(f"--spawn-method={method}", *folders) as server:
        for site, text in PAGES.items():
            response = server.get(f"/{site}/")
            assert (response.status, text in response.text) == (200, True)
            assert server.app(site)["last_spawn_error"] is None
        assert server.get("/").status == 404
        assert server.stop() == 0


def test_the_configuration_serves_all_of_them_under_their_base_uris(examples):
    """Flags for the address and the runtime directory go before the file."""
    with RunningServer(f"--config={examples / 'passtwist.toml'}") as server:
        answer_under_their_base_uris(server)
        names = [app["name"] for app in server.status()["apps"]]
        assert names == ["django", "flask", "hello"]


def test_the_tac_file_serves_the_same(examples):
    """Where nothing can be given by flags, the environment goes before the file."""
    with RunningServer(
        tac=str(examples / "passtwist.tac"),
        env={"PASSTWIST_LISTEN": "tcp:0:interface=127.0.0.1"},
    ) as server:
        answer_under_their_base_uris(server)
        assert server.stop() == 0


def answer_under_their_base_uris(server):
    for site, place in MOUNTED.items():
        response = server.get(place)
        assert (response.status, PAGES[site] in response.text) == (200, True)
    # Links lead to where the site is mounted.
    assert 'href="/django/files/"' in server.get("/django/").text
    assert 'href="/flask/upload"' in server.get("/flask/").text
    # Static files are the server's business.
    sheet = server.get("/django/static/admin/css/base.css")
    assert (sheet.status, sheet.headers["Cache-Control"]) == (200, "no-cache")
    # Without the slash at the end, too.
    assert server.get("/hello").status == 200
    assert server.get("/nowhere").status == 404
