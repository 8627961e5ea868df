"""A full pool: who gives way to whom, and in which order."""

from __future__ import annotations

from passtwist.pool import GrantSession, StartSpawn, StopWorker, WorkerEvicted


def stop_for(worker, app):
    return StopWorker(worker, f"{app} needs its place")


def test_the_longest_idle_worker_of_any_app_gives_way(make_scene):
    """Not the oldest one, nor one of the app with the most: the longest idle."""
    scene = make_scene(max_pool_size=3)
    for app in ("a", "b", "c"):
        scene.add(app)
    scene.hire("a", 2)
    scene.hire("b", 1)
    scene.now = 7.0
    assert scene.ask("t1", "a") == 1
    scene.end(1)
    scene.now = 8.0
    assert scene.ask("t2", "b") == 3
    scene.end(3)
    scene.now = 9.0
    scene.ask("t3", "c")
    assert scene.orders == [stop_for(2, "c"), StartSpawn(4, "c", 0)]
    assert scene.notices[-2] == WorkerEvicted("a", 2, "c", 9.0)
    assert scene.ready(4) == [GrantSession("t3", 4)]


def test_an_only_worker_gives_way_to_an_app_that_has_none(make_scene):
    """The minimum protects from growth, not from an app without any worker."""
    scene = make_scene(max_pool_size=1)
    scene.add("a")
    scene.add("b")
    scene.hire("a", 1)
    scene.ask("t1", "b")
    assert scene.orders == [stop_for(1, "b"), StartSpawn(2, "b", 0)]
    assert (scene.app_state("a"), scene.app_state("b")) == ("stopped", "starting")


def test_an_app_evicted_below_its_minimum_comes_back_with_a_request(make_scene):
    """Else the two would take each other's place for ever."""
    scene = make_scene(max_pool_size=1)
    scene.add("a")
    scene.add("b")
    scene.hire("a", 1)
    scene.ask("t1", "b")
    scene.ready(2)
    assert scene.end(2) is None
    assert scene.exit(1) == []
    assert scene.exit(2) == [StartSpawn(3, "b", 0)]
    assert scene.pool.view().apps[0].waits_for_room is None
    scene.ready(3)
    scene.ask("t2", "a")
    assert scene.orders == [stop_for(3, "a"), StartSpawn(4, "a", 0)]


def test_an_app_that_grows_takes_only_what_others_can_spare(make_scene):
    """The only worker of another app stays, a second one gives way."""
    scene = make_scene(max_pool_size=3)
    scene.add("a")
    scene.add("b")
    scene.hire("a", 2)
    scene.hire("b", 1)
    scene.wait(1)
    scene.ask("t1", "b")
    scene.ask("t2", "b")
    assert scene.orders == [stop_for(1, "b"), StartSpawn(4, "b", 0)]
    scene.ready(4)
    scene.ask("t3", "b")
    assert scene.wait(10) == []
    assert scene.pool.view().apps[1].waits_for_room == "growing"
    assert scene.states("a") == {1: "stopping", 2: "idle"}


def test_an_app_that_grows_takes_nothing_that_was_busy_a_moment_ago(make_scene):
    """Two busy apps would take each other's workers for ever."""
    scene = make_scene(max_pool_size=3)
    scene.add("a")
    scene.add("b")
    scene.hire("a", 2)
    scene.hire("b", 1)
    scene.ask("t1", "b")
    scene.ask("t2", "b")
    assert scene.orders == []
    assert scene.wait(0.5) == []
    scene.end(scene.ask("t3", "a"))
    assert scene.wait(0.4) == [], "the other one was idle for 0.9 s"
    assert scene.wait(0.1) == [stop_for(2, "b"), StartSpawn(4, "b", 0)]


def test_a_minimum_is_never_restored_by_evicting(make_scene):
    """It waits until there is room."""
    scene = make_scene(max_pool_size=2)
    scene.add("a", min_instances=0)
    scene.hire("a", 2)
    assert scene.add("b", prestart=True) == []
    assert scene.pool.view().apps[1].waits_for_room == "below minimum"
    assert scene.states("a") == {1: "idle", 2: "idle"}
    assert scene.exit(1) == [StartSpawn(3, "b", 0)]


def test_with_nobody_idle_room_goes_to_those_who_wait_longest(make_scene):
    """A worker that goes idle gives way at once, one for each app in line."""
    scene = make_scene(max_pool_size=2)
    for app in ("a", "c", "b"):
        scene.add(app)
    scene.hire("a", 2)
    scene.ask("t1", "a")
    scene.ask("t2", "a")
    scene.ask("b", "b")
    scene.ask("c", "c")
    assert scene.orders == []
    assert scene.end(2) is None
    assert scene.orders == [stop_for(2, "b"), StartSpawn(3, "b", 0)]
    assert scene.end(1) is None
    assert scene.orders == [stop_for(1, "c"), StartSpawn(4, "c", 0)]


def test_apps_without_any_worker_come_before_those_that_only_want_more(make_scene):
    """Who grows has workers that serve its waiters meanwhile."""
    scene = make_scene(max_pool_size=2)
    for app in ("a", "b"):
        scene.add(app, min_instances=0)
    scene.hire("a", 2)
    for ticket in ("t1", "t2", "t3"):
        scene.ask(ticket, "a")
    scene.ask("b", "b")
    assert scene.exit(2) == [StartSpawn(3, "b", 0)]
    assert scene.pool.view().apps[0].waits_for_room == "growing"


def test_a_worker_that_leaves_does_not_take_up_room(make_scene):
    """Draining and stopping workers do not count against max_pool_size."""
    scene = make_scene(max_pool_size=1)
    scene.add("a")
    scene.add("b")
    scene.hire("a", 1)
    scene.ask("t1", "b")
    view = scene.pool.view()
    assert (view.capacity_used, len(view.apps[0].workers)) == (1, 1)


def test_a_worker_that_always_has_more_to_do_gives_way_after_its_turn(make_scene):
    """Its app keeps its place in the line, behind the one it gave way to."""
    scene = make_scene(max_pool_size=1, fair_turn=1.0)
    scene.add("a")
    scene.add("b")
    scene.hire("a", 1)
    for ticket in ("a1", "a2", "a3", "a4"):
        scene.ask(ticket, "a")
    scene.ask("b1", "b")
    scene.wait(0.5)
    assert (scene.end(1), scene.orders) == ("a2", [])
    scene.wait(0.5)
    assert scene.end(1) is None
    assert scene.orders == [
        StopWorker(1, "its last session has ended"),
        StartSpawn(2, "b", 0),
    ]
    assert [app.waits_for_room for app in scene.pool.view().apps] == ["homeless", None]
    scene.ready(2)
    assert scene.end(2) is None
    assert scene.orders == [stop_for(2, "a"), StartSpawn(3, "a", 0)]
    assert scene.ready(3) == [GrantSession("a3", 3)]


def test_of_an_app_with_more_workers_one_gives_way_sooner(make_scene):
    """It has others, so it does not matter for how long the app has waited."""
    scene = make_scene(max_pool_size=2, fair_turn=1.0)
    scene.add("a")
    scene.add("b")
    scene.hire("a", 2)
    for ticket in ("a1", "a2", "a3"):
        scene.ask(ticket, "a")
    scene.wait(5.0)
    scene.ask("b1", "b")
    assert scene.end(1) is None
    assert StartSpawn(3, "b", 0) in scene.orders
    assert scene.states("a") == {1: "stopping", 2: "busy"}
    assert scene.end(2) == "a3"


def test_a_worker_with_threads_that_is_never_idle_drains_after_its_turn(make_scene):
    """Its other sessions are finished, and its place is free at once."""
    scene = make_scene(max_pool_size=1, fair_turn=1.0)
    scene.add("a", concurrency=2)
    scene.add("b")
    scene.hire("a", 1, concurrency=2)
    scene.ask("a1", "a")
    scene.ask("a2", "a")
    scene.ask("b1", "b")
    scene.wait(1.0)
    assert scene.end(1) is None
    assert scene.orders == [StartSpawn(2, "b", 0)]
    assert scene.states("a") == {1: "draining"}
    assert scene.end(1) is None
    assert scene.orders == [StopWorker(1, "its last session has ended")]


def test_a_new_worker_nobody_waits_for_any_more_gives_way(make_scene):
    """A spawn is not undone, but what comes of it goes to who needs it."""
    scene = make_scene(max_pool_size=1)
    scene.add("a")
    scene.add("b")
    scene.ask("t1", "a")
    scene.cancel("t1", "a")
    scene.ask("t2", "b")
    assert scene.orders == []
    assert scene.ready(1) == [stop_for(1, "b"), StartSpawn(2, "b", 0)]


def test_an_app_in_back_off_keeps_its_only_worker(make_scene):
    """Nothing could come in its place: its waiters would be refused."""
    scene = make_scene(max_pool_size=2, fair_turn=0.0, first_back_off=10.0)
    scene.add("a")
    scene.add("b")
    scene.hire("a", 1)
    scene.ask("a1", "a")
    scene.ask("a2", "a")
    scene.fail(2)
    scene.add("c", min_instances=0)
    scene.hire("c", 1)
    scene.ask("c1", "c")
    scene.ask("b1", "b")
    assert (scene.end(1), scene.orders) == ("a2", [])


def test_an_only_worker_keeps_its_place_until_the_other_app_has_waited(make_scene):
    """However long it has been there: an app with more may give one first."""
    scene = make_scene(max_pool_size=1, fair_turn=1.0)
    scene.add("a")
    scene.add("b")
    scene.hire("a", 1)
    scene.wait(5.0)
    for ticket in ("a1", "a2", "a3"):
        scene.ask(ticket, "a")
    scene.ask("b1", "b")
    assert scene.end(1) == "a2"
    scene.wait(1.0)
    assert scene.end(1) is None
    assert StartSpawn(2, "b", 0) in scene.orders


def test_a_new_worker_has_its_turn_however_long_others_have_waited(make_scene):
    """Else places would be passed on with every request."""
    scene = make_scene(max_pool_size=1, fair_turn=1.0)
    scene.add("a")
    scene.add("b")
    for ticket in ("a1", "a2"):
        scene.ask(ticket, "a")
    scene.ask("b1", "b")
    scene.wait(5.0)
    assert scene.ready(1) == [GrantSession("a1", 1)]
    assert scene.end(1) == "a2"


def test_an_app_that_got_room_goes_to_the_end_of_its_line(make_scene):
    """It may want more, but so do others."""
    scene = make_scene(max_pool_size=6, spawn_concurrency=1)
    for app in ("a", "b"):
        scene.add(app, spawn_concurrency=2)
        scene.hire(app, 1)
    for ticket in ("a1", "a2", "a3", "a4", "a5"):
        scene.ask(ticket, "a")
    for ticket in ("b1", "b2"):
        scene.ask(ticket, "b")
    assert scene.ready(3) == [GrantSession("a2", 3), StartSpawn(4, "a", 0)]
    assert scene.ready(4) == [GrantSession("a3", 4), StartSpawn(5, "b", 0)]
