"""What the status says of processes, and that it is true."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from passtwist import __version__
from passtwist.http.counters import Counters
from passtwist.testing.waiting import wait_until
from tests.integration.sites import APPS, Site, serve

FRAMEWORK_LESS = "plain WSGI has no framework layer, so smart is smart-lv2"
MEMORY = {"pss": int, "uss": int, "rss": int}
# DESIGN section 9, as types.
WORKER = {
    "pid": int,
    "state": str,
    "enabled": bool,
    "generation": int,
    "sessions": int,
    "requests": int,
    "spawn_method": str,
    "spawn_seconds": float,
    "uptime_s": float,
    "idle_s": float,
    "memory": MEMORY,
    "current": [],
}
SPAWNER = {
    "kind": str,
    "pid": int,
    "key": str,
    "app": str,
    "age_s": float,
    "memory": MEMORY,
}
APP = {
    "name": str,
    "root": str,
    "state": str,
    "framework": str,
    "spawn_method": str,
    "spawn_method_reason": str,
    "generation": int,
    "queue": int,
    "last_spawn_error": type(None),
    "workers": [WORKER],
}
PAGE = {
    "version": str,
    "instance": str,
    "pid": int,
    "uptime_s": float,
    "draining": bool,
    "last_reload_error": type(None),
    "clients": {
        "connections": int,
        "max_connections": int,
        "full": bool,
        "counters": dict.fromkeys(Counters().as_dict(), int),
    },
    "pool": {"max_pool_size": int, "capacity_used": int, "busy": int, "queue": int},
    "logs": {
        "access_log_dropped": int,
        "server_log_dropped": int,
        "output_dropped": {},
    },
    "spawn_server": {"pid": int, "spawners": [SPAWNER]},
    "apps": [APP],
    "leaving": [],
}


def shape(value):
    """The types in a value; of a list the shapes that its items have."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        shapes = []
        for one in value:
            if (found := shape(one)) not in shapes:
                shapes.append(found)
        return shapes
    return type(value)


def parent(pid):
    """Its parent's pid, by /proc."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def program(pid):
    """The executable, and where in memory an exec has put its arguments."""
    path = os.readlink(f"/proc/{pid}/exe")
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return path, int(fields[45])


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    """Two Django apps, a Flask app and plain WSGI by smart, and the others."""
    folder = tmp_path_factory.mktemp("sites")
    django, flask = APPS / "tiny_django", APPS / "tiny_flask"
    return [
        Site(folder, "django1", django, base_uri="/django1", spawn_method="smart"),
        Site(folder, "django2", django, base_uri="/django2", spawn_method="smart"),
        Site(folder, "flask", flask, base_uri="/flask", spawn_method="smart"),
        Site(folder, "plain", base_uri="/plain", spawn_method="smart"),
        Site(folder, "lv2", flask, base_uri="/lv2", spawn_method="smart-lv2"),
        Site(folder, "fresh", flask, base_uri="/fresh", spawn_method="conservative"),
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory, sites):
    folder = tmp_path_factory.mktemp("server")
    with serve(folder, *sites, max_pool_size=8) as running:
        for site in sites:
            assert running.get(f"/{site.name}/").status == 200
        yield running


@pytest.fixture(scope="module")
def page(server):
    """The status, once all memory is sampled."""

    def sampled():
        page = server.status()
        processes = [
            *page["spawn_server"]["spawners"],
            *(worker for app in page["apps"] for worker in app["workers"]),
        ]
        return page if all(one["memory"] for one in processes) else None

    return wait_until(sampled, "samples of the memory of all processes")


def workers(page, name):
    return [w for app in page["apps"] if app["name"] == name for w in app["workers"]]


def spawners(page, kind):
    """App to pid; a framework spawner is the app's that it was started for."""
    found = page["spawn_server"]["spawners"]
    return {one["app"]: one["pid"] for one in found if one["kind"] == kind}


def test_the_page_has_exactly_these_fields(page, server):
    """Bytes and seconds throughout; memory once it is sampled."""
    assert shape(page) == PAGE
    assert page["version"] == __version__
    assert page["instance"] == str(server.runtime_dir)
    assert page["pid"] == server.process.pid
    pool = {"max_pool_size": 8, "capacity_used": 6, "busy": 0, "queue": 0}
    assert page["pool"] == pool
    for app in page["apps"]:
        for worker in app["workers"]:
            assert 0 < worker["memory"]["uss"] <= worker["memory"]["pss"]
            assert worker["memory"]["pss"] <= worker["memory"]["rss"]
            assert 0 < worker["spawn_seconds"] <= worker["uptime_s"]


def test_the_command_prints_the_same(page, server):
    """`passtwist status --json`; without --json something for people."""
    command = [
        *(sys.executable, "-c", "from passtwist.cli.main import main; main()"),
        *("status", f"--runtime-dir={server.runtime_dir}"),
    ]
    told = subprocess.run(
        [*command, "--json"], capture_output=True, check=True, timeout=30
    )
    printed = json.loads(told.stdout)
    assert shape(printed) == PAGE

    def steady(page):
        """Without what passes with time."""
        text = {"name", "root", "state", "framework", "spawn_method", "generation"}
        return [{key: app[key] for key in text} for app in page["apps"]]

    assert steady(printed) == steady(page)
    shown = subprocess.run(command, capture_output=True, check=True, timeout=30)
    for app in page["apps"]:
        assert app["name"] in shown.stdout.decode()
        assert str(app["workers"][0]["pid"]) in shown.stdout.decode()


def test_the_command_says_when_no_server_runs(tmp_path):
    """One line on standard error, and status 1."""
    told = subprocess.run(
        [
            *(sys.executable, "-c", "from passtwist.cli.main import main; main()"),
            *("status", f"--runtime-dir={tmp_path}"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (told.returncode, told.stdout) == (1, "")
    assert str(tmp_path) in told.stderr
    assert len(told.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "framework", "method", "reason"),
    [
        ("django1", "django", "smart", ""),
        ("django2", "django", "smart", ""),
        ("flask", "flask", "smart", ""),
        ("plain", "wsgi", "smart-lv2", FRAMEWORK_LESS),
        ("lv2", "flask", "smart-lv2", ""),
        ("fresh", "flask", "conservative", ""),
    ],
)
def test_an_app_says_by_which_method_it_is_spawned(
    page, name, framework, method, reason
):
    """The one in effect, and why when it is another than the one asked for."""
    (app,) = [app for app in page["apps"] if app["name"] == name]
    found = (app["framework"], app["spawn_method"], app["spawn_method_reason"])
    assert found == (framework, method, reason)
    (worker,) = app["workers"]
    assert (worker["spawn_method"], worker["state"]) == (method, "idle")


def test_each_method_has_the_layers_that_it_should(page):
    """conservative none, smart-lv2 an app spawner, smart a framework spawner, too."""
    app_spawners = spawners(page, "app")
    assert set(app_spawners) == {"django1", "django2", "flask", "plain", "lv2"}
    frameworks = spawners(page, "framework")
    assert set(frameworks) == {"django1", "flask"}
    manager = page["spawn_server"]["pid"]
    parents = {name: parent(pid) for name, pid in app_spawners.items()}
    assert parents == {
        "django1": frameworks["django1"],
        "django2": frameworks["django1"],
        "flask": frameworks["flask"],
        "plain": manager,
        "lv2": manager,
    }
    assert {parent(pid) for pid in frameworks.values()} == {manager}
    assert parent(manager) == page["pid"]


def test_two_apps_of_one_virtualenv_share_a_framework_spawner(page):
    """There is one for Django, though two apps run on it."""
    keys = [
        one["key"]
        for one in page["spawn_server"]["spawners"]
        if one["kind"] == "framework"
    ]
    assert len([key for key in keys if " django " in key]) == 1
    assert len(keys) == 2


@pytest.mark.parametrize("name", ["django1", "django2", "flask", "lv2"])
def test_a_worker_is_forked_from_its_apps_spawner_and_is_the_controllers_child(
    server, page, name
):
    """The app was loaded by the spawner, whose program the worker still is."""
    (worker,) = workers(page, name)
    spawner = spawners(page, "app")[name]
    facts = json.loads(server.get(f"/{name}/").text)
    assert facts == {
        "pid": worker["pid"],
        "parent": page["pid"],
        "loaded_by": spawner,
    }
    assert program(worker["pid"]) == program(spawner)
    assert program(worker["pid"])[1] > 0
    assert parent(worker["pid"]) == page["pid"]


def test_a_conservative_worker_has_loaded_its_app_by_itself(server, page):
    """And is the controller's child all the same."""
    (worker,) = workers(page, "fresh")
    facts = json.loads(server.get("/fresh/").text)
    pid = worker["pid"]
    assert facts == {"pid": pid, "parent": page["pid"], "loaded_by": pid}


def test_forked_workers_share_memory_with_their_spawner(page):
    """What a forked worker has for itself is less than what a fresh one has."""
    own = {name: workers(page, name)[0]["memory"]["uss"] for name in ("lv2", "fresh")}
    assert own["lv2"] < own["fresh"]
