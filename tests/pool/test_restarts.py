"""Rolling restarts: new workers beside the old ones, one after the other."""

from __future__ import annotations

import pytest

from passtwist.pool import (
    AppRemoved,
    DetachRequested,
    DisableRequested,
    EnableRequested,
    GrantSession,
    KillWorker,
    RejectCheckout,
    ReleaseSpawners,
    RestartBegan,
    RestartFailed,
    RestartFinished,
    RestartSuperseded,
    RestartSwitched,
    RestartView,
    ShutdownRequested,
    SpawnFailed,
    SpawnHasFailed,
    StartSpawn,
    StopWorker,
    WorkerBecameReady,
)


def app_view(scene, app="shop"):
    return {view.name: view for view in scene.pool.view().apps}[app]


def generations(scene, app="shop"):
    return {worker.id: worker.generation for worker in app_view(scene, app).workers}


def news(scene):
    """What was announced of restarts."""
    kinds = (
        RestartBegan,
        RestartSwitched,
        RestartFinished,
        RestartFailed,
        RestartSuperseded,
    )
    return [notice for notice in scene.notices if isinstance(notice, kinds)]


def replaced(old, new):
    return StopWorker(old, f"worker {new} takes its place")


def test_workers_are_replaced_one_by_one_oldest_first(make_scene):
    """The next starts when the one before has taken its place."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 3)
    scene.now = 10.0
    assert scene.restart() == [StartSpawn(4, "shop", 1)]
    assert scene.app_state() == "restarting"
    assert app_view(scene).generation == 0
    assert app_view(scene).restarting == RestartView(1, "deployed", 10.0, 0, 3)
    assert scene.ready(4) == [replaced(1, 4), StartSpawn(5, "shop", 1)]
    assert app_view(scene).restarting == RestartView(1, "deployed", 10.0, 1, 2)
    assert app_view(scene).generation == 1
    assert scene.ready(5) == [replaced(2, 5), StartSpawn(6, "shop", 1)]
    scene.now = 12.5
    assert scene.ready(6) == [replaced(3, 6), ReleaseSpawners("shop", 1)]
    assert (scene.app_state(), app_view(scene).restarting) == ("ready", None)
    assert news(scene) == [
        RestartBegan("shop", 1, "deployed"),
        RestartSwitched("shop", 1),
        RestartFinished("shop", 1, 2.5),
    ]


def test_the_first_comes_alone_then_as_many_as_wanted(make_scene):
    """With restart_parallelism = 3; bad code costs one spawn only."""
    scene = make_scene()
    scene.add("shop", restart_parallelism=3)
    scene.hire("shop", 5)
    assert scene.restart() == [StartSpawn(6, "shop", 1)]
    assert scene.ready(6) == [
        replaced(1, 6),
        StartSpawn(7, "shop", 1),
        StartSpawn(8, "shop", 1),
        StartSpawn(9, "shop", 1),
    ]
    assert scene.ready(8) == [replaced(2, 8), StartSpawn(10, "shop", 1)]
    assert scene.ready(7) == [replaced(3, 7)]


def test_only_the_first_workers_health_is_checked(make_scene):
    """Until one of its generation has been ready."""
    scene = make_scene()
    scene.add("shop", prestart=True, min_instances=2)
    orders = list(scene.orders)
    orders += scene.ready(1)
    orders += scene.ready(2)
    orders += scene.restart()
    orders += scene.ready(3)
    checks = [(o.worker, o.check_health) for o in orders if isinstance(o, StartSpawn)]
    assert checks == [(1, True), (2, False), (3, True), (4, False)]


def test_a_restart_needs_no_room_in_a_full_pool(make_scene):
    """New ones start beside the old; nobody else loses a worker."""
    scene = make_scene(max_pool_size=2)
    scene.add("shop", max_instances=1)
    scene.add("blog")
    scene.hire("shop", 1)
    scene.hire("blog", 1)
    assert scene.restart() == [StartSpawn(3, "shop", 1)]
    assert scene.pool.view().capacity_used == 2
    assert scene.ready(3) == [replaced(1, 3), ReleaseSpawners("shop", 1)]
    assert scene.pool.view().capacity_used == 2
    assert scene.states("blog") == {2: "idle"}


def test_a_busy_worker_finishes_what_it_has_begun(make_scene):
    """It drains, and the restart does not wait for it."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 1)
    assert scene.ask("t1") == 1
    scene.restart()
    assert scene.ready(2) == [ReleaseSpawners("shop", 1)]
    assert scene.states() == {1: "draining", 2: "idle"}
    assert scene.app_state() == "ready"
    scene.end(1)
    assert scene.orders == [StopWorker(1, "its last session has ended")]


def test_waiters_get_the_new_worker(make_scene):
    """They came while the old ones were full."""
    scene = make_scene()
    scene.add("shop", max_instances=1)
    scene.hire("shop", 1)
    scene.ask("t1")
    scene.ask("t2")
    scene.restart()
    assert scene.ready(2) == [ReleaseSpawners("shop", 1), GrantSession("t2", 2)]


def test_new_workers_are_preferred_while_old_ones_remain(make_scene):
    """Newest generation first, then least busy; threads make no difference."""
    scene = make_scene()
    scene.add("shop", concurrency=2)
    scene.hire("shop", 2, concurrency=2)
    scene.restart()
    scene.ready(3, concurrency=2)
    assert [scene.ask(t) for t in ("t1", "t2", "t3")] == [3, 3, 2]


# --- bad code --------------------------------------------------------------


def test_code_that_does_not_start_changes_nothing(make_scene):
    """The old workers serve on, the app is degraded, the error is shown."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 2)
    scene.restart()
    assert scene.fail(3, "no such module") == []
    assert scene.app_state() == "degraded"
    assert scene.states() == {1: "idle", 2: "idle"}
    view = app_view(scene)
    assert (view.generation, view.restarting) == (0, None)
    assert (view.restart_error, view.last_spawn_error) == ("no such module", None)
    assert news(scene)[1:] == [RestartFailed("shop", 1, "no such module", 2)]
    assert not any(isinstance(notice, SpawnHasFailed) for notice in scene.notices)


def test_after_a_failed_restart_growth_uses_the_good_code(make_scene):
    """And the app stays degraded until a restart succeeds."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 1)
    scene.restart()
    scene.fail(2)
    scene.ask("t1")
    scene.ask("t2")
    assert scene.orders == [StartSpawn(3, "shop", 0)]
    assert scene.ready(3) == [GrantSession("t2", 3)]
    assert scene.app_state() == "degraded"
    scene.now = 5.0
    assert scene.restart() == [StartSpawn(4, "shop", 2)]
    assert scene.app_state() == "restarting"
    scene.ready(4)
    assert app_view(scene).restart_error is None
    scene.ready(5)
    assert (scene.app_state(), generations(scene)) == (
        "ready",
        {1: 0, 3: 0, 4: 2, 5: 2},
    )


def test_workers_of_the_good_code_come_back_after_a_failed_restart(make_scene):
    """All of them died; the app is degraded again as soon as one serves."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 1)
    scene.restart()
    scene.fail(2)
    assert scene.exit(1) == [StartSpawn(3, "shop", 0)]
    assert scene.app_state() == "starting"
    scene.ready(3)
    assert scene.app_state() == "degraded"


def test_a_killed_spawner_is_no_fault_of_the_new_code(make_scene):
    """The replacement is started again at once, for ten seconds."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 1)
    scene.restart()
    for number in (2, 3, 4):
        killed = SpawnFailed(number, "killed", 0.0, innocent=True)
        assert scene.tell(killed) == [StartSpawn(number + 1, "shop", 1)]
        assert scene.app_state() == "restarting"
    scene.now += 10.0
    assert scene.tell(SpawnFailed(5, "killed", 0.0, innocent=True)) == []
    assert scene.app_state() == "degraded"


def test_a_failure_after_the_switch_is_tried_again(make_scene):
    """With the app's back-off; the rest of the old ones serve on."""
    scene = make_scene(first_back_off=8.0)
    scene.add("shop")
    scene.hire("shop", 3)
    scene.restart()
    scene.ready(4)
    assert scene.fail(5) == []
    assert scene.app_state() == "degraded"
    assert SpawnHasFailed("shop", 5, "boom", 3, 6.0) in scene.notices
    assert app_view(scene).restarting == RestartView(1, "deployed", 0.0, 1, 2)
    assert scene.wait(5.5) == []
    assert scene.wait(0.5) == [StartSpawn(6, "shop", 1)]
    assert scene.ready(6) == [replaced(2, 6), StartSpawn(7, "shop", 1)]
    assert scene.app_state() == "restarting"
    scene.ready(7)
    assert scene.app_state() == "ready"


def test_spawns_for_growth_use_the_old_code_until_the_switch(make_scene):
    """At the switch those under way are given up, and begun anew."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 1)
    scene.restart()
    scene.ask("t1")
    scene.ask("t2")
    assert scene.orders == [StartSpawn(3, "shop", 0)]
    assert app_view(scene).restarting.left == 2
    scene.ask("t3")
    assert scene.ready(2) == [
        KillWorker(3, "it has old code"),
        ReleaseSpawners("shop", 1),
        GrantSession("t2", 2),
        StartSpawn(4, "shop", 1),
    ]
    assert scene.states() == {
        1: "draining",
        2: "busy",
        3: "stopping",
        4: "starting",
    }


# --- one restart after the other -------------------------------------------


def test_a_fix_need_not_wait_for_a_deployment_that_hangs(make_scene):
    """It begins at once, and cancels the spawn of the one before."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 1)
    scene.restart(reason="bad")
    scene.now = 30.0
    assert scene.restart(reason="fix") == [
        KillWorker(2, "a newer restart began"),
        StartSpawn(3, "shop", 2),
    ]
    assert scene.fail(2) == []
    assert scene.app_state() == "restarting"
    assert scene.ready(3) == [replaced(1, 3), ReleaseSpawners("shop", 2)]
    assert news(scene) == [
        RestartBegan("shop", 1, "bad"),
        RestartSuperseded("shop", 1),
        RestartBegan("shop", 2, "fix"),
        RestartSwitched("shop", 2),
        RestartFinished("shop", 2, 0.0),
    ]


def test_requests_that_come_together_are_one(make_scene):
    """One begins at once, the others are the next, a second later."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 1)
    assert scene.restart(reason="1") == [StartSpawn(2, "shop", 1)]
    for number in range(2, 51):
        assert scene.restart(reason=str(number)) == []
    assert scene.ready(2) == [replaced(1, 2), ReleaseSpawners("shop", 1)]
    assert ("shop", 1.0) in scene.wakes
    assert scene.wait(0.9) == []
    assert scene.wait(0.1) == [StartSpawn(3, "shop", 2)]
    scene.ready(3)
    assert scene.wait(10.0) == []
    assert [notice.reason for notice in news(scene) if hasattr(notice, "reason")] == [
        "1",
        "50",
    ]


def test_what_a_restart_left_undone_goes_on_when_the_next_one_fails(make_scene):
    """Two of three were replaced; the third follows with the code that is good."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 3)
    scene.restart()
    scene.ready(4)
    scene.ready(5)
    scene.now = 5.0
    assert scene.restart() == [
        KillWorker(6, "a newer restart began"),
        StartSpawn(7, "shop", 2),
    ]
    assert scene.fail(7) == [StartSpawn(8, "shop", 1)]
    assert scene.app_state() == "degraded"
    assert scene.ready(8) == [replaced(3, 8), ReleaseSpawners("shop", 1)]
    live = {n: g for n, g in generations(scene).items() if n in (4, 5, 8)}
    assert (scene.app_state(), live) == ("degraded", {4: 1, 5: 1, 8: 1})


# --- apps without workers, and workers that go meanwhile -------------------


def test_an_app_without_workers_only_counts(make_scene):
    """Its old spawners go; the next worker has the new code."""
    scene = make_scene()
    scene.add("shop")
    assert scene.restart() == [ReleaseSpawners("shop", 1)]
    assert news(scene) == [
        RestartBegan("shop", 1, "deployed"),
        RestartFinished("shop", 1, 0.0),
    ]
    scene.ask("t1")
    assert scene.orders == [StartSpawn(1, "shop", 1)]
    assert scene.app_state() == "starting"


def test_the_first_spawn_of_an_app_is_begun_anew(make_scene):
    """It had old code; who waits for it goes on waiting."""
    scene = make_scene()
    scene.add("shop")
    scene.ask("t1")
    assert scene.restart() == [
        KillWorker(1, "it has old code"),
        StartSpawn(2, "shop", 1),
        ReleaseSpawners("shop", 1),
    ]
    assert app_view(scene).restarting == RestartView(1, "deployed", 0.0, 0, 0)
    assert scene.ready(2) == [GrantSession("t1", 2)]
    assert scene.app_state() == "ready"
    assert news(scene)[-1] == RestartFinished("shop", 1, 0.0)


def test_a_restart_that_nobody_survived_can_fail_too(make_scene):
    """Then nothing is left to fall back on, and the waiters hear of it."""
    scene = make_scene()
    scene.add("shop")
    scene.ask("t1")
    scene.restart()
    reason = "no worker of shop could be started"
    assert scene.fail(2) == [RejectCheckout("t1", "shop", 500, reason, None, "boom")]
    assert scene.app_state() == "backing-off"
    assert news(scene)[-1] == RestartFailed("shop", 1, "boom", 0)
    view = app_view(scene)
    assert (view.generation, view.restarting, view.restart_error) == (1, None, None)


def test_a_restart_ends_the_back_off(make_scene):
    """The new code may be the remedy."""
    scene = make_scene(first_back_off=20.0)
    scene.add("shop")
    scene.ask("t1")
    scene.fail(1)
    assert scene.app_state() == "backing-off"
    scene.now = 1.0
    assert scene.restart() == [StartSpawn(2, "shop", 1), ReleaseSpawners("shop", 1)]
    assert scene.app_state() == "starting"
    assert scene.ask("t2") is None
    assert scene.ready(2) == [GrantSession("t2", 2)]


def test_old_workers_that_die_before_the_switch_come_back_as_they_were(make_scene):
    """The new code has not shown yet that it works."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 1)
    scene.restart()
    assert scene.exit(1) == [StartSpawn(3, "shop", 0)]
    assert scene.ready(2) == [
        KillWorker(3, "it has old code"),
        ReleaseSpawners("shop", 1),
    ]
    assert scene.app_state() == "ready"


def test_a_replacement_takes_over_from_one_that_died_after_the_switch(make_scene):
    """It starts already, so no other one is needed for the minimum."""
    scene = make_scene()
    scene.add("shop", min_instances=2)
    scene.hire("shop", 2)
    scene.restart()
    scene.ready(3)
    assert scene.states() == {1: "stopping", 2: "idle", 3: "idle", 4: "starting"}
    assert scene.exit(2) == [ReleaseSpawners("shop", 1)]
    assert scene.pool.view().capacity_used == 2
    assert scene.app_state() == "ready"
    assert scene.ready(4) == []


def test_a_replacement_of_one_that_gave_its_place_away_is_given_up(make_scene):
    """Its app is stopped then, and the restart is over."""
    scene = make_scene(max_pool_size=1)
    scene.add("shop", min_instances=0)
    scene.add("blog")
    scene.hire("shop", 1)
    scene.restart()
    scene.ask("t1", "blog")
    assert scene.orders == [
        StopWorker(1, "blog needs its place"),
        StartSpawn(3, "blog", 0),
        ReleaseSpawners("shop", 1),
        KillWorker(2, "nobody is left to be replaced"),
    ]
    assert scene.app_state() == "stopped"
    assert news(scene)[-1] == RestartFinished("shop", 1, 0.0)


def test_a_detached_worker_need_not_be_replaced(make_scene):
    """It leaves by itself."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 2)
    scene.restart()
    scene.ready(3)
    assert scene.tell(DetachRequested(2)) == [
        StopWorker(2, "it was detached"),
        ReleaseSpawners("shop", 1),
        KillWorker(4, "nobody is left to be replaced"),
    ]
    assert scene.app_state() == "ready"


def test_a_disabled_worker_leaves_at_the_switch(make_scene):
    """It could only come back with old code; before, it may come back."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 3)
    scene.tell(DisableRequested(1))
    scene.tell(DisableRequested(2))
    scene.restart()
    scene.tell(EnableRequested(2))
    assert app_view(scene).restarting.left == 2
    assert scene.ready(4) == [
        StopWorker(1, "it has old code"),
        replaced(2, 4),
        StartSpawn(5, "shop", 1),
    ]


def test_a_removed_app_restarts_no_more(make_scene):
    """Whoever waits for the restart hears of it."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 1)
    scene.restart()
    scene.restart()
    assert scene.tell(AppRemoved("shop")) == [
        KillWorker(2, "shop was removed"),
        StopWorker(1, "shop was removed"),
        ReleaseSpawners("shop"),
    ]
    assert news(scene)[-1] == RestartFailed("shop", 1, "shop was removed", 1)
    assert scene.wait(10.0) == []


def test_a_server_that_shuts_down_restarts_nothing(make_scene):
    """What is under way ends, what is asked for does not begin."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 1)
    scene.ask("t1")
    scene.restart()
    shutting_down = "the server is shutting down"
    assert scene.tell(ShutdownRequested()) == [KillWorker(2, shutting_down)]
    assert news(scene)[-1] == RestartFailed("shop", 1, shutting_down, 1)
    assert scene.restart() == scene.wait(10.0) == []


def test_apps_wait_in_turn_for_the_pools_limit_of_replacements(make_scene):
    """It is as large as that of spawns, but of its own."""
    scene = make_scene(max_pool_size=9, spawn_concurrency=2)
    for app in ("a", "b", "c"):
        scene.add(app, restart_parallelism=4)
        scene.hire(app, 3)
    assert scene.restart("a") == [StartSpawn(10, "a", 1)]
    assert scene.restart("b") == [StartSpawn(11, "b", 1)]
    assert scene.restart("c") == []
    assert scene.ready(10) == [replaced(1, 10), StartSpawn(12, "c", 1)]
    assert scene.ready(11) == [replaced(4, 11), StartSpawn(13, "a", 1)]


def test_only_apps_that_are_there_can_be_restarted(make_scene):
    """A name that is unknown raises."""
    scene = make_scene()
    with pytest.raises(KeyError):
        scene.restart("nobody")


def test_a_ready_replacement_is_announced_like_any_worker(make_scene):
    """With the seconds that its spawn took."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 1)
    scene.restart()
    scene.now = 2.0
    scene.ready(2)
    assert WorkerBecameReady("shop", 2, 2.0) in scene.notices
