"""Who is who in ``ps``."""

from __future__ import annotations

import subprocess

import pytest

from passtwist.model import APP, FRAMEWORK, WORKER
from tests.spawnserver.driver import make_app

SHOWS = """
import os, sys

BEFORE = sys.argv, dict(os.environ)

def app(environ, start_response):
    start_response("200 OK", [])
    lines = open("/proc/self/environ").read().split("\\0")
    unhurt = all("=" in line for line in lines if line)
    return [repr((BEFORE == (sys.argv, dict(os.environ)), unhurt, sys.argv)).encode()]
"""
BOTH = ("framework", "app")


def shown_by_ps(pid):
    """The short name and the whole command line."""
    command = ["ps", "-ww", "-o", "comm=", "-o", "args=", "-p", str(pid)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    short, found, rest = shown.stdout.rstrip().partition("passtwist: ")
    return short.strip(), found + rest


@pytest.mark.parametrize("name", ["shop", "größe"])
def test_ps_says_of_each_process_what_it_is_and_for_whom(driver, tmp_path, name):
    """And whose: the folder of its code lies in the server's runtime directory."""
    app = make_app(tmp_path / name, SHOWS, framework="flask")
    forked, fresh = driver.spawn(app, BOTH), driver.spawn(app)
    forked.ready()
    fresh.ready()
    pids = {
        "manager": driver.manager,
        "framework": forked.pid(FRAMEWORK),
        "app": forked.pid(APP),
        "worker": forked.pid(WORKER),
        "fresh worker": fresh.pid(WORKER),
    }
    assert {who: shown_by_ps(pid) for who, pid in pids.items()} == {
        "manager": ("passtwist-mgr", f"passtwist: spawn manager {driver.code}"),
        "framework": (
            "pt-fw flask",
            f"passtwist: framework spawner flask {driver.code}",
        ),
        "app": (f"pt-app {name}", f"passtwist: app spawner {name} {driver.code}"),
        "worker": (f"pt {name}", f"passtwist: worker {name} {driver.code}"),
        "fresh worker": (f"pt {name}", f"passtwist: worker {name} {driver.code}"),
    }


@pytest.mark.parametrize("route", [(), ("app",)], ids=["exec", "forked"])
def test_arguments_and_environment_of_the_app_are_unhurt(
    driver, tmp_path, python, route
):
    """Under each interpreter: they lie beside what is overwritten."""
    spawn = driver.spawn(make_app(tmp_path / "site", SHOWS, python=python), route)
    worker = spawn.ready()
    assert spawn.connect().get() == repr((True, True, ["passtwist"]))
    assert shown_by_ps(worker)[1] == f"passtwist: worker site {driver.code}"


def test_a_name_that_is_too_long_is_cut(driver, tmp_path):
    """Never the folder behind it, nor what lies behind that."""
    spawn = driver.spawn(make_app(tmp_path / ("long-name-" * 20), SHOWS))
    worker = spawn.ready()
    _, shown = shown_by_ps(worker)
    assert shown.startswith("passtwist: worker long-name-long-name-")
    assert shown.endswith(f".. {driver.code}")
    assert spawn.connect().get() == repr((True, True, ["passtwist"]))
