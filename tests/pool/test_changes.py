"""Limits that change while workers work; nothing that was begun suffers."""

from __future__ import annotations

import pytest

from passtwist.model import Limits
from passtwist.pool import (
    ConfigChanged,
    GrantSession,
    KillWorker,
    PoolConfigChanged,
    PoolLimits,
    RejectCheckout,
    StartSpawn,
    StopWorker,
    WorkerDismissed,
)


def change(scene, app="shop", **limits):
    return scene.tell(ConfigChanged(app, Limits(**limits)))


def change_pool(scene, **limits):
    return scene.tell(PoolConfigChanged(PoolLimits(**limits)))


def test_a_smaller_maximum_lets_idle_workers_leave_first(make_scene):
    """Then those with least to do, when they have done it."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 4)
    scene.ask("t1")
    scene.ask("t2")
    reason = "more than 1 workers (max_instances)"
    assert change(scene, max_instances=1) == [
        StopWorker(3, reason),
        StopWorker(4, reason),
    ]
    assert scene.states() == {
        1: "busy",
        2: "draining",
        3: "stopping",
        4: "stopping",
    }
    assert WorkerDismissed("shop", 2, reason) in scene.notices
    assert (scene.end(2), scene.orders) == (
        None,
        [StopWorker(2, "its last session has ended")],
    )


def test_a_larger_maximum_serves_who_waits(make_scene):
    """At once, as far as spawn_concurrency allows."""
    scene = make_scene()
    scene.add("shop", max_instances=1)
    scene.hire("shop", 1)
    for ticket in ("t1", "t2", "t3"):
        scene.ask(ticket)
    assert change(scene, max_instances=3, spawn_concurrency=2) == [
        StartSpawn(2, "shop", 0),
        StartSpawn(3, "shop", 0),
    ]


def test_a_larger_minimum_is_filled_and_a_smaller_one_retires(make_scene):
    """The idle time counts from when each became idle."""
    scene = make_scene(pool_idle_time=10.0)
    scene.add("shop")
    scene.hire("shop", 1)
    assert change(scene, min_instances=2) == [StartSpawn(2, "shop", 0)]
    scene.ready(2)
    assert scene.wait(50.0) == []
    assert change(scene, min_instances=0) == []
    assert scene.wait(0.0) == [
        StopWorker(1, "it was idle for 50 s"),
        StopWorker(2, "it was idle for 50 s"),
    ]


def test_an_app_may_be_prestarted_later(make_scene):
    """It is asked for nothing, and starts its minimum."""
    scene = make_scene()
    scene.add("shop")
    assert change(scene, prestart=True) == [StartSpawn(1, "shop", 0)]


def test_nobody_is_refused_for_having_come_under_another_limit(make_scene):
    """Only those who come now are."""
    scene = make_scene()
    scene.add("shop", max_instances=1)
    scene.hire("shop", 1)
    for ticket in ("t1", "t2", "t3"):
        scene.ask(ticket)
    assert change(scene, max_instances=1, max_queue_size=1) == []
    scene.ask("t4")
    reason = "2 requests wait for shop already (max_queue_size)"
    assert scene.orders == [RejectCheckout("t4", "shop", 503, reason, 1)]
    assert [scene.end(1), scene.end(1)] == ["t2", "t3"]


def test_a_shorter_patience_holds_for_those_who_wait_already(make_scene):
    """Who has waited for longer is answered at once."""
    scene = make_scene()
    scene.add("shop", max_instances=1)
    scene.hire("shop", 1)
    scene.ask("t1")
    scene.ask("t2")
    scene.now = 5.0
    scene.ask("t3")
    change(scene, max_instances=1, max_queue_time=2.0)
    reason = "no worker of shop was free for 2 s (max_queue_time)"
    assert scene.wait(0.0) == [RejectCheckout("t2", "shop", 504, reason)]
    assert scene.wait(1.5) == []
    assert scene.wait(0.5) == [RejectCheckout("t3", "shop", 504, reason)]


def test_spares_are_kept_and_given_up_again(make_scene):
    """From the next look on."""
    scene = make_scene(spare_pause=3.0, pool_idle_time=10.0, fair_turn=0.0)
    scene.add("shop")
    scene.hire("shop", 1)
    scene.ask("t1")
    assert change(scene, spare_workers=1) == []
    assert scene.wait(3.0) == [StartSpawn(2, "shop", 0)]
    scene.ready(2)
    assert scene.wait(60.0) == []
    change(scene)
    assert scene.wait(0.0) == [StopWorker(2, "it was idle for 60 s")]


@pytest.mark.parametrize(("limit", "orders"), [(0, []), (2, []), (1, [2])])
def test_another_max_requests_holds_for_workers_that_are_there(
    make_scene, limit, orders
):
    """The next request of one that has had enough is its last."""
    scene = make_scene()
    scene.add("shop", max_requests=5)
    scene.hire("shop", 1)
    change(scene, max_requests=limit and limit + 1)
    scene.ask("t1")
    scene.end(1)
    started = [order.worker for order in scene.orders]
    assert started == ([2] if limit == 1 else [])
    assert started == orders


def test_fewer_replacements_at_a_time(make_scene):
    """Those too many are given up."""
    scene = make_scene()
    scene.add("shop", restart_parallelism=3)
    scene.hire("shop", 4)
    scene.restart()
    scene.ready(5)
    assert scene.states()[8] == "starting"
    assert change(scene, restart_parallelism=1) == [
        KillWorker(8, "nobody is left to be replaced"),
        KillWorker(7, "nobody is left to be replaced"),
    ]


def test_a_smaller_pool_takes_surplus_first(make_scene):
    """The longest idle above the minimum, then any idle one, then a busy one."""
    scene = make_scene()
    scene.add("shop")
    scene.add("blog")
    scene.hire("shop", 2)
    scene.now = 1.0
    scene.hire("blog", 2)
    scene.ask("t1", "shop")
    scene.ask("t2", "blog")
    assert change_pool(scene, max_pool_size=3) == [
        StopWorker(2, "more than 3 workers (max_pool_size)")
    ]
    assert change_pool(scene, max_pool_size=2) == [
        StopWorker(4, "more than 2 workers (max_pool_size)")
    ]
    assert change_pool(scene, max_pool_size=1) == []
    assert (scene.states("shop")[1], scene.states("blog")[3]) == ("draining", "busy")


def test_a_larger_pool_serves_who_waits_for_room(make_scene):
    """In the order of waiting."""
    scene = make_scene(max_pool_size=1)
    for app in ("shop", "blog", "wiki"):
        scene.add(app)
    scene.hire("shop", 1)
    scene.ask("t1", "shop")
    scene.ask("t2", "blog")
    scene.ask("t3", "wiki")
    assert change_pool(scene, max_pool_size=3) == [
        StartSpawn(2, "blog", 0),
        StartSpawn(3, "wiki", 0),
    ]
    assert scene.ready(3) == [GrantSession("t3", 3)]


def test_fewer_spawns_at_a_time_give_up_the_youngest(make_scene):
    """Who waits for it waits for the next."""
    scene = make_scene(spawn_concurrency=2)
    scene.add("shop")
    scene.add("blog")
    scene.ask("t1", "shop")
    scene.ask("t2", "blog")
    assert change_pool(scene, spawn_concurrency=1) == [
        KillWorker(2, "spawn_concurrency is smaller")
    ]
    assert scene.ready(1) == [GrantSession("t1", 1), StartSpawn(3, "blog", 0)]


def test_other_times_hold_from_now_on(make_scene):
    """Idle workers, idle spawners, back-off."""
    scene = make_scene(pool_idle_time=0.0)
    scene.add("shop", min_instances=0)
    scene.hire("shop", 1)
    scene.now = 100.0
    assert change_pool(scene, pool_idle_time=10.0, first_back_off=8.0) == [
        StopWorker(1, "it was idle for 100 s")
    ]
    scene.ask("t1")
    scene.fail(2)
    assert scene.pool.view().apps[0].retry_at == 106.0
