"""Idle workers beyond the need: when they are started, and when they leave."""

from __future__ import annotations

import pytest

from passtwist.pool import (
    DetachRequested,
    GrantSession,
    ShutdownRequested,
    StartSpawn,
    StopWorker,
    WorkerRetired,
)

PAUSE = 3.0  # seconds: the default


def serve_one_after_the_other(scene, seconds, step=0.5):
    """A client that always has a next question; all orders meanwhile."""
    orders = []
    for _ in range(int(seconds / step)):
        worker = scene.ask(object())
        assert worker is not None
        orders += scene.orders + scene.wait(step)
        scene.end(worker)
        orders += scene.orders
    return orders


def test_a_spare_is_started_after_a_pause_beside_a_worker_in_use(make_scene):
    """One, and no more once it is there: it is idle, and nobody needs it."""
    scene = make_scene()
    scene.add("shop", spare_workers=1)
    scene.hire("shop", 1)
    assert serve_one_after_the_other(scene, PAUSE - 0.5) == []
    assert serve_one_after_the_other(scene, 1) == [StartSpawn(2, "shop", 0)]
    assert scene.ready(2) == []
    assert serve_one_after_the_other(scene, 60) == []
    assert scene.states() == {1: "idle", 2: "idle"}


def test_a_worker_that_rests_is_a_spare(make_scene):
    """A request now and then needs no second worker."""
    scene = make_scene()
    scene.add("shop", spare_workers=1)
    scene.hire("shop", 1)
    for ticket in range(5):
        assert scene.ask(ticket) == 1
        scene.wait(0.1)
        scene.end(1)
        assert scene.wait(60) == []


def test_spares_are_started_one_after_the_other(make_scene):
    """Beyond the worker that has a long request: three, each when one is ready."""
    scene = make_scene()
    scene.add("shop", spare_workers=3, spawn_concurrency=4)
    scene.hire("shop", 1)
    scene.ask("long")
    assert scene.wait(PAUSE) == [StartSpawn(2, "shop", 0)]
    assert scene.wait(60) == []
    assert scene.ready(2) == [StartSpawn(3, "shop", 0)]
    assert scene.ready(3) == [StartSpawn(4, "shop", 0)]
    assert scene.ready(4) == []
    assert scene.wait(60) == []


def test_a_spawn_that_a_request_waits_for_puts_spares_off(make_scene):
    """The pause begins anew with it, and nothing else starts beside it."""
    scene = make_scene()
    scene.add("shop", spare_workers=1, spawn_concurrency=2)
    scene.hire("shop", 1)
    scene.ask("t1")
    scene.wait(PAUSE - 1)
    scene.ask("t2")
    assert scene.orders == [StartSpawn(2, "shop", 0)]
    assert scene.wait(PAUSE - 0.5) == []
    assert scene.ready(2) == [GrantSession("t2", 2)]
    assert scene.wait(0.5) == [StartSpawn(3, "shop", 0)]


def test_an_app_without_requests_has_no_spares(make_scene):
    """As it has no minimum then: from the first request on."""
    scene = make_scene()
    scene.add("shop", spare_workers=2, min_instances=0)
    assert scene.wait(60) == []
    scene.ask("t1")
    scene.ready(1)
    scene.end(1)
    assert scene.wait(60) == [StartSpawn(2, "shop", 0)]


def test_with_prestart_spares_are_there_before_the_first_request(make_scene):
    """The minimum counts as spare while nobody uses it."""
    scene = make_scene()
    started = scene.add("shop", spare_workers=2, prestart=True)
    assert started == [StartSpawn(1, "shop", 0)]
    scene.ready(1)
    assert scene.wait(60) == [StartSpawn(2, "shop", 0)]


def test_a_spare_takes_no_place_and_gives_its_own(make_scene):
    """To an app that grows, too; a new one comes when there is room again."""
    scene = make_scene(max_pool_size=3)
    scene.add("shop", spare_workers=1)
    scene.add("blog", min_instances=0)
    scene.hire("shop", 1)
    scene.ask("long")
    scene.wait(PAUSE)
    scene.ready(2)
    scene.hire("blog", 1)
    scene.wait(10)
    scene.ask("b1", "blog")
    scene.ask("b2", "blog")
    assert scene.orders == [
        StopWorker(2, "blog needs its place"),
        StartSpawn(4, "blog", 0),
    ]
    scene.ready(4)
    scene.exit(2)
    assert scene.wait(60) == []
    assert scene.pool.view().apps[0].waits_for_room == "short of spares"
    assert scene.exit(4) == [StartSpawn(5, "shop", 0)]


@pytest.mark.parametrize("min_instances", [0, 1])
def test_spares_do_not_retire_and_surplus_does(make_scene, min_instances):
    """After a rush three of five idle workers are too many."""
    scene = make_scene(pool_idle_time=10.0)
    scene.add("shop", spare_workers=2, min_instances=min_instances)
    scene.hire("shop", 5)
    assert scene.wait(9.9) == []
    assert scene.wait(0.1) == [
        StopWorker(number, "it was idle for 10 s") for number in (1, 2, 3)
    ]
    assert scene.notices[-1] == WorkerRetired("shop", 3, 10.0)
    assert scene.wait(1000) == []


def test_a_spare_does_not_retire_beside_a_worker_in_use(make_scene):
    """Though that one is idle too between two requests: else it would be replaced."""
    scene = make_scene(pool_idle_time=10.0)
    scene.add("shop", spare_workers=1, min_instances=0)
    scene.hire("shop", 2)
    assert serve_one_after_the_other(scene, 60) == []
    assert scene.wait(10) == [StopWorker(2, "it was idle for 61 s")]


def test_max_instances_holds_for_spares(make_scene):
    """And nobody is woken again and again for what can't be had."""
    scene = make_scene(pool_idle_time=0.0)
    scene.add("shop", spare_workers=3, max_instances=2)
    scene.hire("shop", 1)
    scene.ask("long")
    assert scene.wait(PAUSE) == [StartSpawn(2, "shop", 0)]
    scene.ready(2)
    scene.wait(60)
    assert scene.pool.next_wake() is None


def test_a_spare_that_can_not_be_started_is_tried_again_after_the_back_off(make_scene):
    """Requests are served meanwhile."""
    scene = make_scene(first_back_off=20.0)
    scene.add("shop", spare_workers=1)
    scene.hire("shop", 1)
    scene.ask("long")
    scene.wait(PAUSE)
    assert scene.fail(2) == []
    assert scene.app_state() == "degraded"
    assert scene.wait(14.9) == [], "chance takes a quarter of it at most"
    assert scene.wait(5.1 + PAUSE) == [StartSpawn(3, "shop", 0)]


def test_a_spare_that_is_gone_is_replaced_after_the_pause(make_scene):
    """Whether it died or was detached."""
    scene = make_scene()
    scene.add("shop", spare_workers=2)
    scene.hire("shop", 2)
    scene.wait(60)
    scene.tell(DetachRequested(2))
    assert scene.wait(PAUSE - 0.1) == []
    assert scene.wait(0.1) == [StartSpawn(3, "shop", 0)]
    scene.ready(3)
    assert scene.exit(3) == []
    assert scene.wait(PAUSE) == [StartSpawn(4, "shop", 0)]


def test_a_shutdown_starts_no_spares(make_scene):
    scene = make_scene()
    scene.add("shop", spare_workers=2)
    scene.hire("shop", 1)
    scene.ask("long")
    scene.tell(ShutdownRequested())
    assert scene.wait(60) == []


def test_apps_without_spares_set_no_alarm_for_them(make_scene):
    """Requests that come and go wake nobody."""
    scene = make_scene(pool_idle_time=0.0)
    scene.add("shop")
    scene.hire("shop", 1)
    serve_one_after_the_other(scene, 10)
    assert scene.pool.next_wake() is None
