"""Apps that do not start: what visitor, log and status say, and what goes on."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from passtwist.testing.waiting import wait_until
from tests.integration.sites import Site, serve

WORKS = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"mended"]
"""
PRINTS = (
    """
import sys

for number in range(600):
    print("%06d" % number, "x" * 4000)
    sys.stderr.write("%06d " % number + "y" * 4000 + "\\n")
sys.stdout.write("z" * 200_000)
"""
    + WORKS
)
SECRET = "do-not-tell"
TIMEOUT = 1.0  # seconds; for the app that hangs


@dataclass
class Broken:
    """A way not to start.

    :ivar code: of passenger_wsgi.py.
    :ivar says: a pattern for the error's summary, in log, status and page.
    :ivar step: the step of the journey that failed.
    :ivar category: as in the log.
    """

    code: str
    says: str
    step: str = "load_app"
    category: str = "app-error"
    entry: str = ""
    start_timeout: float = 30.0


BROKEN = {
    "import": Broken("import no_such_module\n", "No module named 'no_such_module'"),
    "syntax": Broken("def application(:\n", "raised SyntaxError: .*invalid syntax"),
    "raises": Broken("raise ValueError('on purpose')\n", "ValueError: on purpose"),
    "tells": Broken(
        "import os\nraise ValueError('not ' + os.environ['API_SECRET'])\n",
        r"ValueError: not \*{8}",
    ),
    "sys-exit": Broken("import sys\nsys.exit(3)\n", "raised SystemExit: 3"),
    "os-exit": Broken("import os\nos._exit(3)\n", "the process exited with status 3"),
    # Who it was is not known: it may be the kernel, or somebody in a hurry.
    "killed": Broken(
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
        r"was killed by signal SIGKILL \(9\)",
        category="layer-died",
    ),
    "hangs": Broken(
        "import threading\nthreading.Event().wait()\n",
        "was not done 1 s after the start",
        category="timeout",
        start_timeout=TIMEOUT,
    ),
    "no-attribute": Broken(
        "def app(environ, start_response): pass\n",
        "passenger_wsgi has no attribute 'nothing'",
        entry="passenger_wsgi:nothing",
    ),
    "no-callable": Broken(
        "application = 3\n",
        "application of passenger_wsgi is int, which can't be called",
    ),
}
METHODS = ("conservative", "smart-lv2")
# Whoever kills a process may stop some day: that is waited for.
SLOW = ("killed",)


@pytest.fixture(scope="module", params=METHODS)
def method(request):
    return request.param


@pytest.fixture(scope="module")
def sites(tmp_path_factory, method):
    """Each broken app twice: as a developer and as a visitor sees it."""
    folder = tmp_path_factory.mktemp("broken")
    found = {"works": Site(folder, "works", spawn_method=method)}
    for name, code in (("mended", "import no_such_module\n"), ("prints", PRINTS)):
        found[name] = Site(folder, name, base_uri=f"/{name}", spawn_method=method)
        found[name].write("passenger_wsgi.py", code)
    for kind, broken in BROKEN.items():
        for environment in ("development", "production"):
            name = f"{kind}-{environment}"
            found[name] = site = Site(
                folder,
                name,
                base_uri=f"/{name}",
                spawn_method=method,
                environment=environment,
                entry=broken.entry,
                start_timeout=broken.start_timeout,
                # Else each is tried again and again while the others are tested.
                min_instances=0,
                env={"API_SECRET": SECRET, "SHOWN": "shown"},
            )
            site.write("passenger_wsgi.py", broken.code)
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory, sites):
    folder = tmp_path_factory.mktemp("server")
    with serve(folder, *sites.values(), max_pool_size=40) as running:
        yield running


@pytest.fixture(scope="module")
def get(server):
    """The first answer of an app; those that take seconds are asked for at once."""
    names = [
        f"{kind}-{environment}"
        for kind in SLOW
        for environment in ("development", "production")
    ]
    with ThreadPoolExecutor(len(names)) as crowd:
        asked = {name: crowd.submit(server.get, f"/{name}/") for name in names}
        # Before the first test begins: else their sockets look like its own.
        wait_until(
            lambda: all(
                asked[name].done() or server.app(name)["queue"] for name in names
            ),
            "the slow ones to be asked for",
        )
        yield (
            lambda name: (
                asked[name].result() if name in asked else server.get(f"/{name}/")
            )
        )


@pytest.mark.parametrize("kind", BROKEN)
def test_a_developer_sees_what_is_wrong(server, get, kind):
    """On the page, with the step that failed; in the status; in the log."""
    broken, name = BROKEN[kind], f"{kind}-development"
    page = get(name)
    assert page.status in (500, 503)
    text = page.text.replace("&#x27;", "'").replace("&quot;", '"')
    assert re.search(broken.says, text)
    failed = re.findall(r'<tr class="failed">(.*?)</tr>', text)
    assert [re.findall("<td>(.*?)</td>", row)[2] for row in failed] == [broken.step]
    assert SECRET not in text

    app = server.app(name)
    assert re.search(f"app {name}: .*{broken.step}.*", app["last_spawn_error"])
    assert re.search(broken.says, app["last_spawn_error"])
    assert (app["state"], app["workers"]) == ("backing-off", [])
    assert SECRET not in app["last_spawn_error"]

    (error_id,) = re.findall(r"Error id <code>(\w+)</code>", text)
    server.wait_for_log(f"error id: {error_id}; ")
    log = server.wait_for_log(f"spawn failed: app {name}: ")
    told = log[log.index(f"spawn failed: app {name}: ") :]
    assert re.search(broken.says, told)
    assert f"category: {broken.category}; " in told
    assert re.search(rf"{broken.step} \(.*\) failed in \d+\.\d{{3}} s", told)
    assert SECRET not in log


@pytest.mark.parametrize("kind", BROKEN)
def test_a_visitor_learns_nothing_but_that_it_does_not_work(server, get, sites, kind):
    """No path, no traceback, no environment; ids that are in the log."""
    name = f"{kind}-production"
    page = get(name)
    assert page.status in (500, 503)
    for told in (str(sites[name].root), "Traceback", "File ", "load_app", "shown"):
        assert told not in page.text
    assert not re.search(BROKEN[kind].says, page.text)
    assert SECRET not in page.text
    (error_id,) = re.findall(r"Error id: <code>(\w+)</code>", page.text)
    server.wait_for_log(f"error id: {error_id}; ")
    request_id = page.headers["X-Request-Id"]
    assert f"<code>{request_id}</code>" in page.text
    server.wait_for_log(f"request {request_id} of {name}: {page.status}")


def test_an_app_in_back_off_answers_503_without_a_spawn(server):
    """With Retry-After; visitors do not wait for the next attempt."""
    page = wait_until(
        lambda: (
            page if (page := server.get("/import-development/")).status == 503 else None
        ),
        "an answer during the back-off",
    )
    assert int(page.headers["Retry-After"]) > 0
    assert "no_such_module" in page.text


def test_the_other_apps_of_the_server_are_untouched(server):
    """Before, after, and while another one is starting in vain."""
    assert server.get("/").text == "hello from works"
    app = server.app("works")
    assert (app["state"], app["last_spawn_error"]) == ("ready", None)


def test_a_mended_app_serves_once_its_back_off_has_passed(server, sites):
    """Nothing has to be restarted."""
    assert server.get("/mended/").status in (500, 503)
    sites["mended"].write("passenger_wsgi.py", WORKS)
    page = wait_until(
        lambda: page if (page := server.get("/mended/")).status == 200 else None,
        "the mended app",
    )
    assert page.text == "mended"
    app = server.app("mended")
    assert (app["state"], app["last_spawn_error"]) == ("ready", None)


def test_an_app_may_print_five_megabytes_while_it_loads(server):
    """To both streams, with and without line ends: it is logged, and it works."""
    assert server.get("/prints/").text == "mended"
    log = server.wait_for_log("output: " + "z" * 8000)
    assert log.count("xxxx\n") == log.count("yyyy\n") == 600
    assert log.count("z" * 8000) >= 20


def test_a_root_that_does_not_exist_is_named(tmp_path):
    """When somebody asks for it: it may come later, and then is served."""
    gone = Site(tmp_path, "gone", environment="development")
    works = Site(tmp_path, "works", base_uri="/works")
    moved = tmp_path / "moved"
    gone.root.rename(moved)
    with serve(tmp_path, gone, works) as server:
        page = server.get("/")
        assert page.status in (500, 503)
        error = server.app("gone")["last_spawn_error"]
        assert error.startswith("app gone ")
        assert str(gone.root) in error
        assert str(gone.root) in page.text
        assert server.get("/works/").status == 200

        moved.rename(gone.root)
        wait_until(lambda: server.get("/").status == 200, "the app that has come")


def test_live_workers_go_on_when_another_one_can_not_be_started(tmp_path):
    """Only the log and the status say so."""
    site = Site(tmp_path, spawn_method="conservative", max_instances=2)
    with serve(tmp_path, site) as server:
        assert server.get("/").status == 200
        site.write("passenger_wsgi.py", "import no_such_module\n")
        connection = server.connect()
        connection.sendall(b"GET /wait?gate=a HTTP/1.1\r\nHost: x\r\n\r\n")
        site.wait_for_notes("begun a")
        second = server.connect()
        second.sendall(
            b"GET /note?text=b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        error = wait_until(
            lambda: server.app("probe")["last_spawn_error"], "the failed spawn"
        )
        assert "no_such_module" in error
        site.open_gate("a")
        assert second.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert server.get("/").status == 200
        second.close()
        connection.close()


def test_the_folder_of_an_app_that_is_gone_after_it_has_loaded_does_no_harm(tmp_path):
    """Workers that run keep their files; a new spawn says what is missing."""
    site = Site(tmp_path, spawn_method="conservative")
    with serve(tmp_path, site) as server:
        assert server.get("/").status == 200
        shutil.rmtree(site.root)
        assert server.get("/").status == 200
