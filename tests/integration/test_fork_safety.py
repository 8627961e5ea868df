"""Apps that can't be forked: auto serves them, smart says why it does not."""

from __future__ import annotations

import importlib.util

import pytest

from tests.integration.sites import APPS, Site, serve

NO_LAYER = "plain WSGI has no framework layer, so smart is smart-lv2"
ENTRY = "site_app.py:app"


def hazard(folder, name, **keys):
    """One of the fixture apps, at /METHOD."""
    method = keys.setdefault("spawn_method", "auto")
    source = APPS / "hazards" / name
    return Site(folder, method, source, entry=ENTRY, base_uri=f"/{method}", **keys)


def test_auto_names_the_line_and_serves_without_forks(tmp_path):
    """One line in the log, the same in status, and an app that works."""
    site = hazard(tmp_path, "thread_pool")
    reason = (
        "not smart, as a fork would not be safe: thread 'pool_0' runs; workers would "
        f"not have it (made at {site.root}/site_app.py:6; allowed by fork_allow = "
        '["thread:pool_0"])'
    )
    with serve(tmp_path, site) as server:
        assert server.get("/auto/").text == "3"
        app = server.app("auto")
        assert (app["spawn_method"], app["spawn_method_reason"]) == (
            "conservative",
            reason,
        )
        log = server.wait_for_log("spawn method is conservative")
        assert log.count(f"app auto: spawn method is conservative, {reason}") == 1
        assert [one["spawn_method"] for one in app["workers"]] == ["conservative"]


@pytest.mark.parametrize("method", ["smart", "smart-lv2"])
def test_smart_refuses_to_start_the_app(tmp_path, method):
    """It was asked for, so nothing else is put in its place."""
    site = hazard(tmp_path, "thread_pool", spawn_method=method)
    with serve(tmp_path, site) as server:
        assert server.get(f"/{method}/").status == 500
        app = server.app(method)
        assert (app["spawn_method"], app["workers"]) == ("smart-lv2", [])
        assert f"made at {site.root}/site_app.py:6" in app["last_spawn_error"]


def test_what_is_allowed_is_forked(tmp_path):
    """By a pattern, as threads of a pool are numbered."""
    site = hazard(tmp_path, "asyncio_loop", fork_allow=["loop:*"])
    with serve(tmp_path, site) as server:
        assert server.get("/auto/").text == "awaited"
        app = server.app("auto")
        assert (app["spawn_method"], app["spawn_method_reason"]) == (
            "smart-lv2",
            NO_LAYER,
        )


def test_a_warning_is_logged_and_does_not_hinder(tmp_path):
    """Once for each time the app is loaded, not for each worker."""
    if importlib.util.find_spec("numpy") is None:
        pytest.skip("needs numpy")
    site = hazard(tmp_path, "numpy_rng", min_instances=2, prestart=True)
    with serve(tmp_path, site) as server:
        drawn = {server.get("/auto/").text for _ in range(4)}
        assert len(drawn) == 4
        log = server.wait_for_log("numpy's global random state")
        assert log.count("numpy's global random state") == 1
        assert f"(made at {site.root}/site_app.py:3) Nothing to do;" in log
        assert server.app("auto")["spawn_method"] == "smart-lv2"
