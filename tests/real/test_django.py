"""A project fresh from `django-admin startproject`, served as it is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from passtwist.testing.server import RunningServer
from passtwist.testing.waiting import wait_until
from tests.integration.sites import serve
from tests.real.sites import App, visit

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

# The setting, and the spawn method that it leads to.
WAYS = {
    "conservative": "conservative",
    "smart-lv2": "smart-lv2",
    "smart": "smart",
    "auto": "smart",
}
USER, PASSWORD = "root", "only for this test"


def manage(python, folder, *words):
    """Run one command of the project's manage.py."""
    subprocess.run(
        [python, "manage.py", *words],
        cwd=folder,
        env={**os.environ, "DJANGO_SUPERUSER_PASSWORD": PASSWORD},
        check=True,
        capture_output=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def project(django_python, tmp_path_factory):
    """What a beginner has after the first page of the tutorial, and a user."""
    folder = tmp_path_factory.mktemp("django") / "fresh"
    folder.mkdir()
    start = [django_python, "-m", "django", "startproject", "fresh", str(folder)]
    subprocess.run(start, check=True, capture_output=True, timeout=60)
    manage(django_python, folder, "migrate")
    told = (f"--username={USER}", "--email=root@example.org")
    manage(django_python, folder, "createsuperuser", "--no-input", *told)
    return folder


@pytest.fixture(scope="module")
def server(django_python, project):
    """A copy of the project for each of the spawn methods, two workers each."""
    apps = []
    for way in WAYS:
        shutil.copytree(project, project.parent / way)
        limits = {"min_instances": 2, "max_instances": 2}
        keys = {"spawn_method": way, **limits}
        apps.append(App(project.parent, way, django_python, **keys))
    with serve(project.parent, *apps, max_pool_size=8) as running:
        # Auto makes no framework spawner for one app alone: it has to be second.
        with visit(running, "/smart") as first:
            first.get("/")
        yield running


@pytest.fixture(scope="module", params=WAYS)
def way(request):
    """The name of the app, and below which path it is."""
    return request.param


@pytest.fixture
def client(server, way):
    """A visitor who has not been there before."""
    with visit(server, f"/{way}") as client:
        yield client


def title(page):
    """What the page is called."""
    return re.search(r"<title>\s*(.*?)\s*</title>", page.text, re.DOTALL)[1]


def sign_in(client, way):
    """Fill in the form of the admin; answer what comes."""
    path = f"/admin/login/?next=/{way}/admin/"
    form = client.get(path)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)[1]
    fields = {"username": USER, "password": PASSWORD, "csrfmiddlewaretoken": token}
    return client.post(path, data=fields)


@pytest.fixture(scope="module")
def session(server, way):
    """The cookies of who has signed in; to check a password takes its time."""
    with visit(server, f"/{way}") as client:
        assert sign_in(client, way).status_code == 302
        return dict(client.cookies)


@pytest.fixture
def member(client, session):
    """A visitor who has signed in."""
    client.cookies.update(session)
    return client


def test_the_welcome_page_is_served(client):
    """In debug mode Django says it when no URL is configured."""
    page = client.get("/")
    assert page.status_code == 200
    assert title(page) == "The install worked successfully! Congratulations!"


def test_two_workers_come_by_the_spawn_method_that_was_asked_for(server, client, way):
    """Auto is smart, as a fresh project has nothing open that must not be forked."""
    client.get("/")
    workers = wait_until(
        lambda: found if len(found := server.workers(way, "idle")) == 2 else None,
        "two workers",
    )
    app = server.app(way)
    assert (app["framework"], app["spawn_method"], app["spawn_method_reason"]) == (
        "django",
        WAYS[way],
        "",
    )
    assert [worker["spawn_method"] for worker in workers] == [WAYS[way]] * 2


def test_smart_apps_share_one_framework_spawner(server, django_python):
    """It has imported the Django of their virtualenv, before either's settings."""
    for way in ("smart", "auto"):
        with visit(server, f"/{way}") as client:
            client.get("/")
    (spawner,) = server.spawners("framework")
    assert django_python in spawner["key"]
    assert re.search(r" django 5\.2(\.\d+)? ", spawner["key"])


def test_the_admin_asks_who_it_is_and_lets_the_user_in(client, way):
    """Redirects stay below the base URI; two cookies come in one answer."""
    asked = client.get("/admin/")
    place = f"/{way}/admin/login/?next=/{way}/admin/"
    assert (asked.status_code, asked.headers["Location"]) == (302, place)

    entered = sign_in(client, way)
    assert (entered.status_code, entered.headers["Location"]) == (302, f"/{way}/admin/")
    assert set(client.cookies) == {"csrftoken", "sessionid"}

    page = client.get("/admin/")
    assert (page.status_code, title(page)) == (
        200,
        "Site administration | Django site admin",
    )


def test_the_admin_writes_to_the_database(member, way):
    """A group is added with its form, and listed."""
    form = member.get("/admin/auth/group/add/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)[1]
    added = member.post(
        "/admin/auth/group/add/",
        data={"csrfmiddlewaretoken": token, "name": "Größe <1>", "_save": "Save"},
        follow_redirects=True,
    )
    assert urlsplit(str(added.url)).path == f"/{way}/admin/auth/group/"
    assert "Größe &lt;1&gt;</a>” was added successfully." in added.text


def test_a_form_without_its_token_is_refused(client):
    """Django's protection from cross-site requests sees all that it looks at."""
    refused = client.post("/admin/login/", data={"username": USER})
    assert (refused.status_code, title(refused)) == (403, "403 Forbidden")


def test_both_workers_know_the_user(server, member, way):
    """The session is in the database; whichever worker is asked finds it."""
    wait_until(lambda: len(server.workers(way, "idle")) == 2, "two workers")
    before = {one["pid"]: one["requests"] for one in server.workers(way)}
    with ThreadPoolExecutor(4) as threads:
        pages = list(threads.map(member.get, ["/admin/"] * 24))
    assert {page.status_code for page in pages} == {200}

    def answered():
        """By worker; a worker may still be busy with what its client has."""
        counts = {one["pid"]: one["requests"] for one in server.workers(way)}
        since = [counts[pid] - requests for pid, requests in before.items()]
        return since if sum(since) >= 24 else None

    counts = wait_until(answered, "24 requests to be counted")
    assert (len(counts), sum(counts), min(counts) > 0) == (2, 24, True)


def test_what_is_not_there_is_told_in_debug_mode(client):
    """Django's own page, with the path below the base URI."""
    page = client.get("/nonesuch/%C3%BC")
    assert (page.status_code, title(page)) == (404, "Page not found at /nonesuch/ü")


def test_style_sheets_of_the_admin_are_not_there(client, way):
    """Only `runserver` serves them without being told to; other servers need
    `collectstatic` and a word where they are."""
    login = client.get("/admin/login/").text
    sheet = re.search(rf'href="/{way}(/static/admin/css/base\.css)"', login)[1]
    assert client.get(sheet).status_code == 404


def test_another_host_is_refused(client):
    """ALLOWED_HOSTS sees the Host that the client sent."""
    refused = client.get("/", headers={"Host": "example.org"})
    assert refused.status_code == 400
    assert "DisallowedHost" in title(refused)


def test_a_virtualenv_in_the_folder_is_found(django_python, project, tmp_path):
    """Where beginners have it."""
    folder = tmp_path / "shop"
    shutil.copytree(project, folder)
    (folder / ".venv").symlink_to(os.path.dirname(os.path.dirname(django_python)))
    with (
        RunningServer("--spawn-method=smart", str(folder)) as server,
        visit(server) as client,
    ):
        assert title(client.get("/admin/login/")) == "Log in | Django site admin"
        app = server.app("shop")
        assert (app["framework"], app["spawn_method"]) == ("django", "smart")
        (spawner,) = server.spawners("framework")
        assert f"{folder}/.venv/bin/python" in spawner["key"]


def test_the_folder_alone_is_enough(project, tmp_path):
    """One app alone gets no framework spawner, and hears why."""
    folder = tmp_path / "shop"
    shutil.copytree(project, folder)
    with RunningServer(str(folder)) as server, visit(server) as client:
        assert title(client.get("/admin/login/")) == "Log in | Django site admin"
        app = server.app("shop")
        assert (app["framework"], app["spawn_method"]) == ("django", "smart-lv2")
        assert app["spawn_method_reason"].startswith("no other app has used")
        assert server.spawners("framework") == []


@pytest.mark.parametrize(
    "other_django_python",
    [
        pytest.param((3, 10), marks=pytest.mark.interpreter("3.10"), id="3.10"),
        pytest.param((3, 13), marks=pytest.mark.interpreter("3.13"), id="3.13"),
    ],
    indirect=True,
)
def test_another_python_than_the_controllers_runs_the_app(
    other_django_python, project, tmp_path
):
    """Spawners and workers are those of the app's virtualenv."""
    folder = tmp_path / "shop"
    shutil.copytree(project, folder)
    library = next(Path(other_django_python).parents[1].glob("lib/*/site-packages"))
    with (
        RunningServer(
            f"--python={other_django_python}", "--spawn-method=smart", str(folder)
        ) as server,
        visit(server) as client,
    ):
        assert title(client.get("/admin/login/")) == "Log in | Django site admin"
        assert server.app("shop")["spawn_method"] == "smart"
        (spawner,) = server.spawners("framework")
        assert spawner["key"].endswith(f" {library}")
        for worker in server.workers("shop"):
            memory = Path(f"/proc/{worker['pid']}/maps").read_text()
            version = library.parent.name.removeprefix("python").replace(".", "")
            assert f".cpython-{version}-" in memory
