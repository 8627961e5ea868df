"""Trac: pages, forms, uploads and files of a WSGI application with a database."""

from __future__ import annotations

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from passtwist.testing.waiting import wait_until
from tests.integration.sites import serve
from tests.real.sites import App, visit

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

# As Trac's documentation has it for servers that load a file.
PLAIN = "from trac.web.main import dispatch_request as application\n"
# As sites do that want their first visitor not to wait.
EAGER = PLAIN + (
    "import os\n"
    "from trac.env import open_environment\n"
    "environment = open_environment(os.environ['TRAC_ENV'], use_cache=True)\n"
)
CLOSING = EAGER + (
    "from passtwist.lifecycle import on\non('before_fork')(environment.shutdown)\n"
)
SITES = {
    "conservative": ("passenger_wsgi.py", PLAIN, {"spawn_method": "conservative"}),
    "smart-lv2": ("wsgi.py", PLAIN, {"spawn_method": "smart-lv2"}),
    "auto": ("wsgi.py", PLAIN, {"min_instances": 2, "max_instances": 2}),
    "eager": ("wsgi.py", EAGER, {}),
    "closing": ("passenger_wsgi.py", CLOSING, {}),
}
NO_LAYER = "plain WSGI has no framework layer, so smart is smart-lv2"
UPLOAD = bytes(range(256)) * 900  # more than is kept in memory


def trac_admin(python, project, *words):
    """Run one command of trac-admin."""
    command = [python, "-W", "ignore", "-m", "trac.admin.console", str(project), *words]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def project(trac_python, tmp_path_factory):
    """A project as trac-admin makes it, in which anonymous may write tickets."""
    folder = tmp_path_factory.mktemp("trac") / "project"
    trac_admin(trac_python, folder, "initenv", "Our Project", "sqlite:db/trac.db")
    rights = ("TICKET_CREATE", "TICKET_APPEND")
    trac_admin(trac_python, folder, "permission", "add", "anonymous", *rights)
    return folder


@pytest.fixture(scope="module")
def apps(trac_python, project):
    """The same in several ways, each with a project of its own."""
    made = {}
    for name, (file, source, keys) in SITES.items():
        own = project.parent / f"project-of-{name}"
        shutil.copytree(project, own)
        app = App(project.parent, name, trac_python, env={"TRAC_ENV": str(own)}, **keys)
        (app.root / file).write_text(source)
        made[name] = app
    return made


@pytest.fixture(scope="module")
def server(apps, project):
    with serve(project.parent, *apps.values(), max_pool_size=12) as running:
        yield running


@pytest.fixture(params=SITES)
def site(request):
    """The name of the app, and below which path it is."""
    return request.param


@pytest.fixture
def client(server, site):
    """A visitor who has not been there before."""
    with visit(server, f"/{site}") as client:
        yield client


def token(page):
    """The token of the page's form; the same is in a cookie."""
    return re.search(r'name="__FORM_TOKEN" value="(\w+)"', page.text)[1]


def create_ticket(client, summary):
    """Fill in the form for a ticket; answer where that leads to."""
    form = client.get("/newticket")
    assert form.status_code == 200
    return client.post(
        "/newticket",
        data={
            "__FORM_TOKEN": token(form),
            "field_summary": summary,
            "field_description": "It's '''bold''', and 5 €.",
            "field_type": "defect",
            "field_priority": "major",
            "submit": "Create ticket",
        },
    )


def spawn_method(server, site):
    """What status says of the app's spawn method, and how its workers came."""
    app = server.app(site)
    came = {worker["spawn_method"] for worker in app["workers"]}
    return app["spawn_method"], app["spawn_method_reason"], came


def test_the_start_page_is_the_wikis(server, client, site):
    """Its links stay below the base URI."""
    page = client.get("/wiki")
    assert page.status_code == 200
    assert '<h1 class="section" id="WelcometoTrac">Welcome to Trac</h1>' in page.text
    assert f'href="/{site}/wiki/TracGuide"' in page.text


def test_a_ticket_is_created_and_shown(client, site):
    """A form with its token and its cookie; the redirect leads to the ticket."""
    created = create_ticket(client, "Grüße & <mehr>")
    assert created.status_code == 303
    place = created.headers["Location"]
    assert re.fullmatch(re.escape(str(client.base_url)) + r"ticket/\d+", place)
    page = client.get(place)
    assert page.status_code == 200
    assert '<span class="summary">Grüße &amp; &lt;mehr&gt;</span>' in page.text
    assert "It's <strong>bold</strong>, and 5 €." in page.text


def test_a_form_with_another_token_is_refused(client):
    """The answer is the app's, with its page."""
    client.get("/newticket")
    forged = client.post("/newticket", data={"__FORM_TOKEN": "0", "submit": "1"})
    assert forged.status_code == 400
    assert "Missing or invalid form token" in forged.text


def test_an_upload_comes_back_byte_for_byte(client, site):
    """An attachment whose name is no ASCII, of a size that is not kept in memory."""
    place = create_ticket(client, "With an attachment").headers["Location"]
    number = place.rpartition("/")[2]
    form = client.get(f"/attachment/ticket/{number}/?action=new")
    added = client.post(
        f"/attachment/ticket/{number}/?action=new",
        data={
            "__FORM_TOKEN": token(form),
            "action": "new",
            "realm": "ticket",
            "id": number,
        },
        files={"attachment": ("ü b.bin", UPLOAD, "application/octet-stream")},
    )
    assert added.status_code == 303
    got = client.get(f"/raw-attachment/ticket/{number}/%C3%BC%20b.bin")
    assert (got.status_code, got.content) == (200, UPLOAD)
    assert got.headers["Content-Length"] == str(len(UPLOAD))


def test_static_files_are_those_of_the_virtualenv(client, trac_python):
    """Trac gives them to wsgi.file_wrapper; the client need not fetch them twice."""
    path = "/chrome/common/css/trac.css"
    got = client.get(path)
    library = Path(trac_python).parents[1] / "lib"
    (file,) = library.glob("python3*/site-packages/trac/htdocs/css/trac.css")
    assert (got.headers["Content-Type"], got.content) == ("text/css", file.read_bytes())

    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(got.content))

    seen = {"If-Modified-Since": got.headers["Last-Modified"]}
    again = client.get(path, headers=seen)
    assert (again.status_code, again.content) == (304, b"")


def test_what_is_not_there_is_the_apps_to_say(client):
    """Its own page, with status 404."""
    page = client.get("/nonesuch")
    assert page.status_code == 404
    assert "No handler matched request to /nonesuch" in page.text


def test_trac_can_be_forked_as_it_is_loaded(server):
    """Importing it opens no database: it does so at the first request."""
    for site, reason in (("smart-lv2", ""), ("auto", NO_LAYER)):
        with visit(server, f"/{site}") as client:
            assert client.get("/about").status_code == 200
        assert spawn_method(server, site) == ("smart-lv2", reason, {"smart-lv2"})


def test_a_database_that_is_open_is_not_forked(server, apps):
    """Auto finds it, says so once, and serves without forking."""
    with visit(server, "/eager") as client:
        assert client.get("/about").status_code == 200
    database = f"{apps['eager'].keys['env']['TRAC_ENV']}/db/trac.db"
    method, reason, came = spawn_method(server, "eager")
    assert (method, came) == ("conservative", {"conservative"})
    wsgi_file = re.escape(str(apps["eager"].root / "wsgi.py"))
    assert re.fullmatch(
        "not smart, as a fork would not be safe: SQLite database "
        f"{re.escape(database)} is open; used after a fork it can be corrupted "
        rf"\(made at {wsgi_file}:\d+, through trac/db/\w+\.py:\d+; "
        rf'allowed by fork_allow = \["sqlite:{re.escape(database)}"\]\)',
        reason,
    )
    log = server.wait_for_log("app eager: spawn method is conservative")
    assert log.count("app eager: spawn method is conservative") == 1


def test_a_database_that_is_closed_before_the_fork_does_no_harm(server):
    """The app says how; its interpreter has nothing of ours installed for that."""
    with visit(server, "/closing") as client:
        assert client.get("/about").status_code == 200
    assert spawn_method(server, "closing") == ("smart-lv2", NO_LAYER, {"smart-lv2"})


def test_two_workers_write_to_one_database(server):
    """Tickets created at the same time have numbers and pages of their own."""
    with visit(server, "/auto") as client:
        client.get("/about")

    def create(number):
        with visit(server, "/auto") as client:
            place = create_ticket(client, f"At once {number}").headers["Location"]
            return place, client.get(place).text

    wait_until(lambda: len(server.workers("auto", "idle")) == 2, "two workers")
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(create, range(8)))
    assert len({place for place, _ in made}) == 8
    for number, (_, page) in enumerate(made):
        assert f'<span class="summary">At once {number}</span>' in page
    # The second may take for its first request, at which Trac opens all that it
    # needs, as long as the other one for all the rest.
    assert all(worker["requests"] for worker in server.workers("auto"))
