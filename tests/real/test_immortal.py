"""Django and Flask with an immortal heap, over many requests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from passtwist.cli.admin_client import get_json
from tests.integration.sites import Site, serve
from tests.real.conftest import DJANGO, interpreter_with
from tests.real.sites import visit

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

EXAMPLES = Path(__file__).parents[2] / "examples"
REQUESTS = 60
KINDS = ("immortal", "gc")
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


@pytest.fixture(
    params=[
        pytest.param((3, minor), marks=pytest.mark.interpreter(f"3.{minor}"))
        for minor in (12, 13)
    ],
    ids="{0[0]}.{0[1]}".format,
)
def base_python(request, interpreters):
    """Each interpreter that can do it."""
    return interpreters[request.param]


@pytest.fixture(scope="module")
def data(django_python, tmp_path_factory):
    """The data of the Django example; whichever Python has made it, all can use it."""
    folder = tmp_path_factory.mktemp("django_site") / "data"
    subprocess.run(
        [django_python, "-B", str(EXAMPLES / "django_site" / "prepare.py")],
        check=True,
        capture_output=True,
        env={**os.environ, "DJANGO_SITE_DATA": str(folder)},
        timeout=120,
    )
    return folder


def both_kinds(folder, source, python):
    """The same site twice, one of each kind; one worker each."""
    return [
        Site(
            folder,
            kind,
            source,
            base_uri=f"/{kind}",
            freeze=kind,
            python=python,
            spawn_method="smart",
            max_instances=1,
        )
        for kind in KINDS
    ]


def own_memory(server):
    """USS of the one worker of each kind, now."""
    page = get_json(str(server.runtime_dir / "admin.sock"), "/v1/memory")
    found = {}
    for app in page["apps"]:
        (worker,) = app["workers"]
        assert worker["requests"] >= REQUESTS
        found[app["name"]] = worker["memory"]["uss"]
    return found


def test_django_with_an_immortal_heap(base_python, data, tmp_path):
    """Pages, a login, the admin and its forms; less memory of its own than else."""
    python = interpreter_with("django", DJANGO, python=base_python)
    sites = both_kinds(tmp_path, EXAMPLES / "django_site", python)
    for site in sites:
        shutil.copytree(data, site.root / "data")
    with serve(tmp_path, *sites, max_pool_size=2) as server:
        for kind in KINDS:
            with visit(server, f"/{kind}") as client:
                page = client.get("/admin/login/").text
                token = TOKEN.search(page)[1]
                form = {"username": "admin", "password": "admin", "next": "/admin/"}
                done = client.post(
                    "/admin/login/", data={**form, "csrfmiddlewaretoken": token}
                )
                assert done.status_code == 302
                titles = set()
                for number in range(REQUESTS):
                    path = ("/admin/", "/admin/auth/user/", "/admin/auth/user/add/")
                    answer = client.get(path[number % 3])
                    assert answer.status_code == 200
                    titles.add(
                        re.search("<title>(.*?)[|]", answer.text, re.S)[1].strip()
                    )
                assert titles == {
                    "Site administration",
                    "Select user to change",
                    "Add user",
                }
        uss = own_memory(server)
        # By half and more; a third is what must hold on any machine.
        assert uss["immortal"] * 3 < uss["gc"] * 2
        assert server.stop() == 0
        assert "Traceback" not in server.log()
        assert "Fatal Python error" not in server.log()


def test_flask_with_an_immortal_heap(base_python, tmp_path):
    """A small site has less to gain, and nothing to lose."""
    python = interpreter_with("flask", "Flask<4", python=base_python)
    sites = both_kinds(tmp_path, EXAMPLES / "flask_site", python)
    with serve(tmp_path, *sites, max_pool_size=2) as server:
        for kind in KINDS:
            with visit(server, f"/{kind}") as client:
                assert client.post("/", data={"name": "Ann"}).status_code == 302
                for number in range(1, REQUESTS + 1):
                    page = client.get("/").text
                    assert "Hello, Ann!" in page
                    assert f"You have been here {number} time" in page
                assert client.get("/nowhere").status_code == 404
        uss = own_memory(server)
        assert uss["immortal"] < uss["gc"]
        assert server.stop() == 0
        assert "Traceback" not in server.log()
        assert "Fatal Python error" not in server.log()
