"""How long spawners live: until nobody needs them, or until they are too old."""

from __future__ import annotations

from dataclasses import replace

import pytest

from passtwist.model import APP, FRAMEWORK, WORKER
from passtwist.spawnserver.children import ChildLayer
from tests.spawnserver.driver import is_alive, make_app, until

BOTH = ("framework", "app")
SHORT = 0.5  # seconds
LONG = 3600.0


@pytest.mark.parametrize(
    ("route", "oldest"), [(("app",), APP), (BOTH, FRAMEWORK)], ids=["lv2", "smart"]
)
def test_a_spawner_that_is_too_old_ends_and_the_next_spawn_makes_another(
    driver, hello, route, oldest
):
    """With all that was forked from it, as it has its addresses; workers go on."""
    app = replace(hello, spawner_max_age=SHORT)
    first = driver.spawn(app, route)
    worker = first.ready()
    old = [first.pid(layer) for layer in route]
    until(lambda: not any(map(is_alive, old)), "the end of its layers")
    notice = driver.notice()
    assert (notice.body["pid"], notice.body["code"]) == (first.pid(oldest), 0)
    second = driver.spawn(app, route)
    second.ready()
    assert second.started() == [*route, WORKER]
    assert first.connect().get() == f"hello from {worker}"
    said = (driver.folder / "manager.log").read_text()
    assert f"{oldest} spawner {first.pid(oldest)}" in said
    assert "s old; the next spawn makes another" in said


def test_an_app_without_a_limit_keeps_its_spawner(driver, hello):
    """And one with a higher limit than its age."""
    for app in (hello, replace(hello, spawner_max_age=LONG)):
        first, second = driver.spawn(app, BOTH), driver.spawn(app, BOTH)
        first.ready()
        second.ready()
        assert second.started() == [WORKER]


def spawn_until_old(driver, folder, loading):
    """A spawn whose spawner is too old while it loads an app with these lines.

    :param loading: they can call ``wait_for(path)``.
    """
    source = f"""
import os, time

def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)

{loading}

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"loaded"]
"""
    app = make_app(folder / "slow", source, spawner_max_age=0.1)
    spawn = driver.spawn(app, ("app",))
    spawn.wait_for_step("load_app")
    said = driver.folder / "manager.log"
    until(lambda: "s old" in said.read_text(), "the spawner's age")
    return spawn


def test_a_spawn_that_is_under_way_when_its_spawner_is_too_old_succeeds(
    driver, tmp_path
):
    """It has the time that loading takes."""
    gate = tmp_path / "gate"
    spawn = spawn_until_old(driver, tmp_path, f"wait_for({str(gate)!r})")
    gate.touch()
    spawn.ready()
    assert spawn.connect().get() == "loaded"


def test_a_worker_that_was_just_forked_survives_the_end_of_its_spawner(
    driver, tmp_path
):
    """Whoever ends with the spawner is in its process group; the worker is not."""
    old, gate = tmp_path / "old", tmp_path / "gate"
    loading = f"""
def hold():
    if os.getppid() != spawner:  # the second fork: this is the worker
        wait_for({str(gate)!r})

spawner = os.getpid()
os.register_at_fork(after_in_child=hold)
wait_for({str(old)!r})
"""
    spawn = spawn_until_old(driver, tmp_path, loading)
    old.touch()
    assert driver.notice().body["pid"] == spawn.pid(APP)
    gate.touch()
    spawn.ready()
    assert spawn.connect().get() == "loaded"


def test_a_framework_spawner_that_no_app_uses_ends_after_its_idle_time(driver, hello):
    """It outlives the last app spawner by that."""
    spawn = driver.spawn(hello, BOTH, spawner_idle_time=SHORT)
    worker = spawn.ready()
    framework = spawn.pid(FRAMEWORK)
    # Twice its time: as long as there is an app spawner it stays.
    other = driver.spawn(replace(hello, name="other"), BOTH, spawner_idle_time=SHORT)
    other.ready()
    driver.tell("retire", app="other")
    assert driver.notice().body["pid"] == other.pid(APP)
    assert is_alive(framework)
    driver.tell("retire", app="hello")
    assert driver.notice().body["pid"] == spawn.pid(APP)
    notice = driver.notice()
    assert (notice.body["kind"], notice.body["pid"]) == (FRAMEWORK, framework)
    assert notice.body["code"] == 0
    again = driver.spawn(hello, BOTH, spawner_idle_time=SHORT)
    again.ready()
    assert again.started() == [FRAMEWORK, APP, WORKER]
    assert spawn.connect().get() == f"hello from {worker}"


def test_without_an_idle_time_a_framework_spawner_stays(driver, hello):
    """Its loop does not even wake up."""
    spawn = driver.spawn(hello, BOTH)
    spawn.ready()
    driver.tell("retire", app="hello")
    assert driver.notice().body["pid"] == spawn.pid(APP)
    again = driver.spawn(hello, BOTH)
    again.ready()
    assert again.started() == [APP, WORKER]


@pytest.mark.parametrize(
    ("limits", "most"),
    [((), 0.0), ((0.0,), 0.0), ((5.0, 0.0), 5.0), ((9.0, 5.0, 7.0), 5.0)],
)
def test_of_several_limits_of_age_the_lowest_holds(limits, most):
    """Apps that share a framework spawner may have different ones."""
    layer = ChildLayer.__new__(ChildLayer)
    layer.max_age = 0.0
    for limit in limits:
        layer.limit_age(limit)
    assert layer.max_age == most
