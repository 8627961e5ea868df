"""Which spawns go through the same spawner."""

from __future__ import annotations

from dataclasses import replace

from passtwist.model import APP, FRAMEWORK, WORKER
from tests.spawnserver.conftest import HELLO
from tests.spawnserver.driver import make_app, parent_of

BOTH = ("framework", "app")


def test_two_apps_with_one_framework_share_its_spawner(driver, tmp_path):
    """Each has an app spawner of its own, a child of the shared one."""
    key = ("django", "5.2", "somewhere")
    one = make_app(tmp_path / "one", HELLO, framework_key=key)
    two = make_app(tmp_path / "two", HELLO, framework_key=key)
    first, second = driver.spawn(one, BOTH), driver.spawn(two, BOTH)
    first.ready()
    second.ready()
    assert first.started() == [FRAMEWORK, APP, WORKER]
    assert second.started() == [APP, WORKER]
    parents = [parent_of(spawn.pid(APP)) for spawn in (first, second)]
    assert parents == [first.pid(FRAMEWORK)] * 2


def test_another_framework_key_or_interpreter_environment_gets_its_own(
    driver, tmp_path
):
    """PYTHONPATH of one app must not be seen by another."""
    plain = make_app(tmp_path / "one", HELLO, framework_key=("a",))
    others = [
        replace(plain, framework_key=("b",)),
        replace(plain, env=(("PYTHONPATH", str(tmp_path)),)),
    ]
    for app in (plain, *others):
        spawn = driver.spawn(app, BOTH)
        spawn.ready()
        assert spawn.started() == [FRAMEWORK, APP, WORKER]


def test_an_app_spawner_belongs_to_one_generation_and_one_configuration(driver, hello):
    """The same spawn again only forks; any difference makes another spawner."""
    started = []
    for app, generation in [
        (hello, 0),
        (hello, 0),
        (hello, 1),
        (replace(hello, threads=2), 1),
        (hello, 0),
    ]:
        spawn = driver.spawn(app, ("app",), generation)
        spawn.ready()
        started.append(spawn.started())
    assert started == [[APP, WORKER], [WORKER], [APP, WORKER], [APP, WORKER], [WORKER]]


def test_spawns_that_come_while_the_app_loads_wait_for_it(driver, hello):
    """They are queued, in order, and each is answered."""
    spawns = [driver.spawn(hello, ("app",)) for _ in range(5)]
    workers = [spawn.ready() for spawn in spawns]
    assert len(set(workers)) == 5
    assert [spawn.started() for spawn in spawns[1:]] == [[WORKER]] * 4
