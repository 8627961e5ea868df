"""When an app gets one more worker, and when it doesn't."""

from __future__ import annotations

from passtwist.pool import DetachRequested, GrantSession, StartSpawn, StopWorker


def test_the_minimum_is_kept_from_the_first_request_on(make_scene):
    """Not from the start; one spawn after the other."""
    scene = make_scene()
    assert scene.add("shop", min_instances=3) == []
    scene.ask("t1")
    assert scene.orders == [StartSpawn(1, "shop", 0)]
    assert scene.ready(1) == [GrantSession("t1", 1), StartSpawn(2, "shop", 0)]
    assert scene.ready(2) == [StartSpawn(3, "shop", 0)]
    assert scene.ready(3) == []
    assert scene.states() == {1: "busy", 2: "idle", 3: "idle"}


def test_with_prestart_the_minimum_is_kept_from_the_beginning(make_scene):
    """As many spawns at a time as the app allows."""
    scene = make_scene()
    started = scene.add("shop", min_instances=3, prestart=True, spawn_concurrency=2)
    assert started == [StartSpawn(1, "shop", 0), StartSpawn(2, "shop", 0)]
    assert scene.ready(2) == [StartSpawn(3, "shop", 0)]


def test_a_request_that_finds_all_workers_full_causes_one_more(make_scene):
    """It takes whichever is free first: here the one that was there."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 1)
    scene.ask("t1")
    assert scene.orders == []
    scene.ask("t2")
    assert scene.orders == [StartSpawn(2, "shop", 0)]
    assert scene.end(1) == "t2"
    assert scene.ready(2) == []
    assert scene.states() == {1: "busy", 2: "idle"}


def test_spawning_goes_on_while_requests_wait(make_scene):
    """One at a time by default, until nobody waits."""
    scene = make_scene()
    scene.add("shop")
    for ticket in ("t1", "t2", "t3"):
        scene.ask(ticket)
    assert scene.ready(1) == [GrantSession("t1", 1), StartSpawn(2, "shop", 0)]
    assert scene.ready(2) == [GrantSession("t2", 2), StartSpawn(3, "shop", 0)]
    assert scene.ready(3) == [GrantSession("t3", 3)]


def test_no_more_is_started_than_the_waiters_need(make_scene):
    """With four spawns at a time and two threads, three waiters need two."""
    scene = make_scene()
    scene.add("shop", spawn_concurrency=4, concurrency=2)
    orders = []
    for ticket in ("t1", "t2", "t3"):
        scene.ask(ticket)
        orders += scene.orders
    assert orders == [StartSpawn(1, "shop", 0), StartSpawn(2, "shop", 0)]


def test_an_app_has_no_more_workers_than_it_may(make_scene):
    """max_instances holds though the pool has room, and bounds the minimum."""
    scene = make_scene(max_pool_size=6)
    scene.add("shop", max_instances=2, min_instances=4)
    scene.hire("shop", 2)
    for ticket in ("t1", "t2", "t3"):
        scene.ask(ticket)
    assert scene.orders == []
    assert scene.states() == {1: "busy", 2: "busy"}


def test_over_all_apps_no_more_spawns_are_under_way_than_allowed(make_scene):
    """Those who come later get their turn in the order in which they came."""
    scene = make_scene(spawn_concurrency=1)
    for app in ("a", "b", "c"):
        scene.add(app)
    orders = []
    for app in ("a", "c", "b"):
        scene.ask(app, app)
        orders += scene.orders
    assert orders == [StartSpawn(1, "a", 0)]
    assert scene.ready(1) == [GrantSession("a", 1), StartSpawn(2, "c", 0)]
    assert scene.fail(2)[-1] == StartSpawn(3, "b", 0)


def test_who_leaves_the_queue_takes_the_wish_for_room_along(make_scene):
    """No worker is started for a client who is gone."""
    scene = make_scene(spawn_concurrency=1)
    scene.add("a")
    scene.add("b", min_instances=0)
    scene.ask("t1", "a")
    scene.ask("t2", "b")
    assert scene.pool.view().apps[1].waits_for_room == "homeless"
    scene.cancel("t2", "b")
    assert scene.pool.view().apps[1].waits_for_room is None
    assert scene.ready(1) == [GrantSession("t1", 1)]


def test_the_minimum_waits_in_line_until_nobody_needs_the_room_more(make_scene):
    """Room goes to requests first; what is left restores minima."""
    scene = make_scene(max_pool_size=2)
    scene.add("a", min_instances=2)
    scene.add("b", min_instances=0)
    scene.hire("b", 1)
    scene.ask("t1", "a")
    scene.ready(2)
    assert scene.pool.view().apps[0].waits_for_room == "below minimum"
    assert scene.ask("t2", "b") == 1
    assert scene.exit(1) == [StartSpawn(3, "a", 0)]


def test_a_detached_worker_finishes_and_is_replaced_at_once(make_scene):
    """While it drains it does not count and gets no new session."""
    scene = make_scene(max_pool_size=1)
    scene.add("shop")
    scene.hire("shop", 1)
    scene.ask("t1")
    assert scene.tell(DetachRequested(1)) == [StartSpawn(2, "shop", 0)]
    assert scene.states() == {1: "draining", 2: "starting"}
    assert scene.ask("t2") is None
    assert scene.end(1) is None
    assert scene.orders == [StopWorker(1, "its last session has ended")]
    assert scene.ready(2) == [GrantSession("t2", 2)]
    assert scene.exit(1) == []
    assert scene.states() == {2: "busy"}


def test_an_idle_worker_that_is_detached_leaves_at_once(make_scene):
    """And detaching one that is gone is harmless: somebody was typing."""
    scene = make_scene()
    scene.add("shop", min_instances=0)
    scene.hire("shop", 1)
    detached = scene.tell(DetachRequested(1))
    assert detached == [StopWorker(1, "it was detached")]
    assert scene.exit(1) == scene.tell(DetachRequested(1)) == []
    assert scene.app_state() == "stopped"
