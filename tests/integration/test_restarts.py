"""Rolling restarts: what new code has to do before it serves, and who serves if not.

tests/storms holds it against thousands of requests.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from passtwist.testing.waiting import wait_until
from tests.integration import commands
from tests.integration.admin import ask, order
from tests.integration.shops import (
    BROKEN,
    HANG,
    HTML,
    WAIT,
    Shop,
    serving,
    serving_all,
)
from tests.integration.sites import serve

# Apps that do not meet; each is one test's own.
DEVELOPMENT = {"environment": "development"}
HEALTH = {"health_check": "/healthz"}
ONLY_ONCE = """
try:
    open(os.path.join(HERE, "first"), "x").close()
except FileExistsError:
    if not os.path.exists(os.path.join(HERE, "mended")):
        raise RuntimeError("it starts only once")
"""
SHOPS = {
    "conservative": {"spawn_method": "conservative", "min_instances": 3},
    "smart-lv2": {"spawn_method": "smart-lv2", "min_instances": 3},
    "threads": {"spawn_method": "smart-lv2", "threads": 4, "min_instances": 3},
    "parallel": {"restart_parallelism": 2, "min_instances": 3},
    "broken": {},
    "first": {},
    "second": {},
    "ordered": {},
    "idle": {},
    "overtaken": {"spawn_method": "smart-lv2"},
    "overtaken-fresh": {"spawn_method": "conservative"},
    "hanging": {"start_timeout": "5s"},
    "ill": HEALTH,
    "ill-threads": {"threads": 4, **HEALTH},
    "ill-at-first": {**HEALTH, **DEVELOPMENT},
    "silent": {"health_check": "/wait", "start_timeout": "5s"},
    "growing": {"spawn_method": "smart-lv2"},
    "faltering": {"spawn_method": "conservative", "min_instances": 2},
    "commands": {},
    "states": {},
}


@pytest.fixture(scope="module")
def shops(tmp_path_factory):
    with serving_all(tmp_path_factory.mktemp("shops"), SHOPS) as found:
        yield found


@pytest.fixture
def server(shops):
    return shops["first"].server


# --- by command -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["conservative", "smart-lv2", "threads", "parallel"])
def test_the_command_waits_until_only_new_code_serves(shops, name):
    """It shows who serves then, and nobody else does."""
    shop = shops[name]
    shop.answer()
    before = wait_until(
        lambda: found if len(found := serving(shop.status())) == 3 else None,
        "3 workers",
    )
    shop.release("two")
    status, text = shop.restart("--wait")
    after = serving(shop.wait_for("ready", 1))
    assert (status, set(after.values()), len(after)) == (0, {1}, 3)
    assert not after.keys() & before.keys()
    last = text.splitlines()[-1]
    assert last.startswith(f"{name}: done in ")
    assert {int(pid) for pid in last.partition(": workers ")[2].split(", ")} == set(
        after
    )
    assert shop.answer()[0] == "two"


def test_who_waits_is_told_why_new_code_does_not_come_up(shops, server):
    """With the exit status of a failure, each time; until it does."""
    shop = shops["broken"]
    _, pid = shop.answer()
    for _ in range(2):
        shop.release("bad", BROKEN)
        status, text = shop.restart("--wait")
        assert status == 1
        assert "workers that go on with the old: 1" in text
        assert "No module named 'no_such_module'" in text
        app = shop.wait_for("degraded", 0)
        assert "no_such_module" in app["last_spawn_error"]
        assert serving(app) == {pid: 0}
        assert shop.answer() == ("one", pid)
    # The log has the traceback, by the id that the command names.
    error_id = text.partition("error id ")[2].partition(".")[0]
    _, _, after = server.log().partition(f"error id: {error_id}")
    assert "Traceback" in after
    shop.release("two")
    assert shop.restart("--wait")[0] == 0
    assert shop.wait_for("ready", 3)["last_spawn_error"] is None
    assert shop.answer()[0] == "two"


def test_several_apps_are_restarted_one_after_the_other(shops, server):
    """Each must be there; one that fails does not keep the next from it."""
    first, second = shops["first"], shops["second"]
    for shop in (first, second):
        shop.answer()
    said = commands.complaint(server, "restart", "first", "scond")
    assert said.startswith("there is no app 'scond'; there are: conservative, ")
    assert commands.run(server, "restart").exit_code == 2
    assert commands.run(server, "restart", "first", "--all").exit_code == 2
    assert [shop.status()["generation"] for shop in (first, second)] == [0, 0]
    first.release("bad", BROKEN)
    second.release("two")
    done = commands.run(server, "restart", "first", "second", "--wait")
    assert done.exit_code == 1
    assert "Error: the new code of first does not serve" in done.output
    assert [shop.answer()[0] for shop in (first, second)] == ["one", "two"]


def test_all_apps_can_be_restarted(tmp_path):
    """By one word."""
    shops = [Shop(tmp_path, name) for name in ("blog", "shop")]
    with serve(tmp_path, *shops) as server:
        status = commands.run(server, "restart", "--all", "--wait").exit_code
        generations = [one["generation"] for one in server.status()["apps"]]
        assert (status, generations) == (0, [1, 1])


def test_without_waiting_it_is_only_ordered(shops):
    """The status says how it goes."""
    shop = shops["ordered"]
    shop.answer()
    expected = "ordered: restart ordered; passtwist status says how it goes\n"
    assert shop.restart() == (0, expected)
    shop.wait_for("ready", 1)


def test_an_app_without_workers_is_restarted_at_once(shops):
    """Its next request finds new code."""
    shop = shops["idle"]
    status, text = shop.restart("--wait")
    assert (status, "it has no workers now" in text) == (0, True)
    shop.release("two")
    assert shop.answer()[0] == "two"


# --- code that hangs, or is ill -----------------------------------------------------


@pytest.mark.parametrize("name", ["overtaken", "overtaken-fresh"])
def test_a_deployment_that_hangs_is_overtaken_by_the_one_that_mends_it(shops, name):
    """Long before start_timeout; visitors notice nothing."""
    shop = shops[name]
    _, pid = shop.answer()
    shop.release("bad", HANG)
    shop.restart()
    wait_until((shop.root / "hangs").exists, "the new code to hang")
    shop.wait_for("restarting", 0)
    assert shop.answer() == ("one", pid)
    shop.release("two")
    assert shop.restart("--wait")[0] == 0
    assert shop.answer()[0] == "two"
    assert shop.has_logged("restart 1 is given up for a newer one")


def test_code_that_hangs_is_given_up_after_start_timeout(shops):
    """And the old goes on."""
    shop = shops["hanging"]
    _, pid = shop.answer()
    shop.release("bad", HANG)
    status, text = shop.restart("--wait")
    assert (status, "start_timeout" in text) == (1, True)
    shop.wait_for("degraded", 0)
    assert shop.answer() == ("one", pid)


@pytest.mark.parametrize("name", ["ill", "ill-threads"])
def test_code_that_does_not_pass_its_health_check_does_not_serve(shops, server, name):
    """What it answered is in the log; the old code goes on."""
    shop = shops[name]
    _, pid = shop.answer()
    shop.release("bad", health="503 Not Today")
    status, text = shop.restart("--wait")
    assert status == 1
    assert "its health check /healthz was answered '503 Not Today'" in text
    assert "2xx or 3xx" in text
    assert "health check" in shop.wait_for("degraded", 0)["last_spawn_error"]
    assert shop.answer() == ("one", pid)
    assert "503 Not Today" in server.log()
    shop.release("two")
    assert shop.restart("--wait")[0] == 0
    assert shop.answer()[0] == "two"
    # Nothing of what was given up is kept.
    wait_until(
        lambda: len([one for one in server.spawners("app") if one["app"] == name]) == 1,
        "one app spawner",
    )


def test_an_app_that_is_ill_from_the_beginning_says_so(shops):
    """With nobody to go on, visitors are told; and it is tried again."""
    shop = shops["ill-at-first"]
    shop.release("bad", health="500 Oh")
    page = shop.get(headers=HTML)
    assert page.status == 500
    assert "did not pass its health check" in page.text
    shop.release("two")
    wait_until(lambda: shop.get().status == 200, "an answer")
    assert shop.answer()[0] == "two"


def test_a_health_check_that_is_not_answered_fails(shops):
    """When start_timeout has passed."""
    shop = shops["silent"]
    (shop.root / "gate").touch()
    _, pid = shop.answer()
    (shop.root / "gate").unlink()
    status, text = shop.restart("--wait")
    assert (status, "was not answered within" in text) == (1, True)
    assert shop.answer() == ("one", pid)


def test_while_new_code_is_broken_more_workers_of_the_old_are_started(shops):
    """By what has loaded it; of its files none is left."""
    shop = shops["growing"]
    _, pid = shop.answer()
    shop.release("bad", BROKEN)
    shop.restart("--wait")
    with ThreadPoolExecutor(1) as client:
        waiting = client.submit(shop.answer, "/wait")
        try:
            wait_until((shop.root / "waits").exists, "a busy worker")
            release, other = shop.answer()
            assert (release, other == pid) == ("one", False)
            # And still it is news that the new code does not come up.
            app = shop.wait_for("degraded", 0)
            assert "no_such_module" in app["last_spawn_error"]
        finally:
            (shop.root / "gate").touch()
        assert waiting.result(30) == ("one", pid)


def progress(shop):
    """How the first restart goes, as the command sees it."""
    status, page = ask(shop.server, f"restarts?app={shop.name}&after=0")
    assert status == 200
    return page


def test_code_that_starts_only_once_is_tried_again_and_who_waits_can_see_why(shops):
    """The rest of the old workers serve on; nobody has to order it anew."""
    shop = shops["faltering"]
    shop.answer()
    wait_until(lambda: len(serving(shop.status())) == 2, "2 workers")
    shop.release("two", ONLY_ONCE)
    with ThreadPoolExecutor(1) as client:
        waiting = client.submit(shop.restart, "--wait")
        try:
            page = wait_until(
                lambda: found if (found := progress(shop))["error"] else None,
                "the error of the second worker",
            )
        finally:
            shop.write("mended", "")
        assert (page["state"], page["replaced"], page["left"]) == ("restarting", 1, 1)
        assert "it starts only once" in page["error"]["summary"]
        status, text = waiting.result(60)
    assert (status, "faltering: done in" in text) == (0, True)
    assert progress(shop)["error"] is None
    assert set(serving(shop.wait_for("ready", 1)).values()) == {1}


def test_a_storm_of_commands_is_one_restart_a_second(shops, server):
    """One that begins at once, and then one for all who came meanwhile."""
    shop = shops["commands"]
    shop.answer()
    begun = time.monotonic()
    for _ in range(50):
        assert order(server, "restart", {"app": shop.name})[0] == 200
    assert shop.restart("--wait")[0] == 0
    seconds = time.monotonic() - begun
    assert 2 <= shop.status()["generation"] <= 2 + seconds


# --- status -----------------------------------------------------------------------


def test_status_names_each_state_of_a_life_with_restarts(shops):
    """As the pure pool does, with real processes."""
    shop = shops["states"]
    shop.wait_for("stopped", 0)
    shop.release("one", WAIT)
    with ThreadPoolExecutor(1) as client:
        waiting = client.submit(shop.answer)
        shop.wait_for("starting", 0)
        # For people as well, of whom most ask while something is starting.
        assert " starting " in commands.output(shop.server, "status")
        shop.write("go", "")
        assert waiting.result(30)[0] == "one"
    shop.wait_for("ready", 0)
    (shop.root / "go").unlink()
    shop.restart()
    shop.wait_for("restarting", 0)
    shop.release("bad", BROKEN)
    shop.restart()
    shop.wait_for("degraded", 0)
    shop.release("two")
    shop.restart("--wait")
    shop.wait_for("ready")
