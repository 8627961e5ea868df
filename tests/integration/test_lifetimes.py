"""Spares, spawners that nobody needs, and spawners that are too old."""

from __future__ import annotations

import threading
from contextlib import contextmanager

from passtwist.testing.waiting import wait_until
from tests.integration.sites import APPS, Site, serve


def spawner_pids(server, kind):
    return {spawner["pid"] for spawner in server.spawners(kind)}


@contextmanager
def a_long_request(site, server, gate):
    """One that lasts until the block ends."""
    answers = []
    client = threading.Thread(
        target=lambda: answers.append(server.get(f"/wait?gate={gate}").status)
    )
    client.start()
    site.wait_for_notes(f"begun {gate}")
    try:
        yield
    finally:
        site.open_gate(gate)
        client.join()
    assert answers == [200]


def test_a_spare_worker_is_ready_beside_one_that_is_busy(tmp_path):
    """It takes the next request, and another spare comes after it."""
    site = Site(tmp_path, spare_workers=1, spawn_method="smart-lv2")
    with serve(tmp_path, site) as server:
        assert server.get("/").status == 200

        def states():
            return sorted(worker["state"] for worker in server.workers("probe"))

        assert states() == ["idle"]
        with a_long_request(site, server, "a"):
            wait_until(lambda: states() == ["busy", "idle"], "a spare worker")
            with a_long_request(site, server, "b"):
                wait_until(
                    lambda: states() == ["busy", "busy", "idle"], "another spare"
                )


def test_spawners_end_when_nobody_has_needed_them_for_their_idle_time(tmp_path):
    """The app spawner after its last worker, then the framework spawner."""
    flask = APPS / "tiny_flask"
    site = Site(tmp_path, "flask", flask, spawn_method="smart", min_instances=0)
    with serve(
        tmp_path, site, spawner_idle_time="500ms", pool_idle_time="500ms"
    ) as server:
        assert server.get("/").status == 200
        (framework,) = spawner_pids(server, "framework")
        (spawner,) = spawner_pids(server, "app")
        wait_until(lambda: not server.spawners("framework"), "the end of all spawners")
        assert server.workers("flask") == server.spawners("app") == []
        log = server.wait_for_log(f"framework spawner {framework} of ")
        assert log.index(f"app spawner {spawner} of flask exited with status 0") < (
            log.index(f"framework spawner {framework} of ")
        )
        assert server.get("/").status == 200


def test_a_spawner_that_is_too_old_is_renewed(tmp_path):
    """Its workers serve on; the log names both spawners and says why."""
    site = Site(
        tmp_path, spawner_max_age="1s", spawn_method="smart-lv2", min_instances=1
    )
    with serve(tmp_path, site) as server:
        worker = server.get("/pid").text
        (old,) = spawner_pids(server, "app")
        log = server.wait_for_log(f"app spawner {old} of probe exited with status 0")
        assert f"app spawner of probe started, pid {old}" in log
        assert f"app spawner {old} of probe is 1 s old; the next spawn" in log
        assert server.get("/pid").text == worker
        with a_long_request(site, server, "a"):
            assert server.get("/pid").text != worker
        assert f"app spawner of probe started, pid {old}" in server.log()
        assert server.log().count("app spawner of probe started, pid ") == 2
