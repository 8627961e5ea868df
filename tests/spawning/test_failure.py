"""What the controller adds to the failure of a spawn."""

from __future__ import annotations

import os

import pytest

from passtwist.errors import SpawnError
from passtwist.model import AppSpec, Scene, SpawnRequest, Step
from passtwist.spawning.failure import advice_on_timeout, masker, outer_scene
from passtwist.testing.spawn_servers import in_reactor

TELLS = """
import os, sys
print("connecting with", os.environ["SHOP_TOKEN"])
sys.stderr.write("to postgres://shop:%s@db/shop\\n" % os.environ["SHOP_TOKEN"])
os._exit(3)
"""


@pytest.mark.parametrize("route", [(), ("app",)], ids=str)
@in_reactor
async def test_secrets_that_an_app_prints_before_it_dies_are_masked(
    spawn_server, tmp_path, route
):
    """Its process can't say where it failed any more; the controller knows a part."""
    (tmp_path / "site_app.py").write_text(TELLS)
    env = (("SHOP_TOKEN", "do-not-tell"),)
    app = AppSpec("shop", str(tmp_path), entry="site_app.py:app", env=env)
    with pytest.raises(SpawnError) as caught:
        await spawn_server.spawn(SpawnRequest(1, app, route))
    error = caught.value
    assert error.output.splitlines() == [
        "connecting with ********",
        "to postgres://shop:********@db/shop",
    ]
    assert error.scene == outer_scene(app)
    assert len({error.id, SpawnError("system", "another").id}) == 2


def test_secrets_of_the_servers_own_environment_are_masked_too(monkeypatch):
    """Apps inherit it."""
    monkeypatch.setenv("SHOP_PASSWORD", "do-not-tell")
    assert masker(AppSpec("shop", "/srv"))("not do-not-tell") == "not ********"


def test_the_scene_that_the_controller_knows_is_interpreter_user_and_folder():
    """Whose process it was is said by number."""
    app = AppSpec("shop", "/srv/shop", python="/srv/python", uid=1000)
    assert outer_scene(app) == Scene(
        python="/srv/python", user="uid 1000", folder="/srv/shop"
    )
    own = outer_scene(AppSpec("shop", "/srv/shop"))
    assert own == Scene(user=f"uid {os.geteuid()}", folder="/srv/shop")


def test_an_app_that_hangs_while_it_is_loaded_may_run_a_server_of_its_own():
    """In other steps that is not likely."""
    longer = "If the app needs longer to start, raise start_timeout."
    loading, forking = (
        Step("app", 1, name, "begun", 0.0) for name in ("load_app", "fork_worker")
    )
    assert advice_on_timeout(None) == advice_on_timeout(forking) == longer
    assert advice_on_timeout(loading).startswith(longer)
    assert "app.run()" in advice_on_timeout(loading)
