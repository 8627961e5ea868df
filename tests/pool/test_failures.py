"""Spawns that fail, workers that die or can't be reached."""

from __future__ import annotations

import pytest

from passtwist.pool import (
    AppState,
    AppStateChanged,
    GrantSession,
    KillWorker,
    RejectCheckout,
    SpawnFailed,
    SpawnHasFailed,
    StartSpawn,
    WorkerDied,
    WorkerLost,
    WorkerUnreachable,
)


def spawn_failed(ticket):
    reason = "no worker of shop could be started"
    return RejectCheckout(ticket, "shop", 500, reason, None, "boom")


def test_all_who_wait_for_a_failed_spawn_get_its_error(make_scene):
    """And the app backs off."""
    scene = make_scene(first_back_off=8.0)
    scene.add("shop")
    scene.ask("t1")
    scene.ask("t2")
    assert scene.fail(1) == [spawn_failed("t1"), spawn_failed("t2")]
    assert scene.app_state() == "backing-off"
    assert SpawnHasFailed("shop", 1, "boom", 0, 6.0) in scene.notices
    assert scene.pool.view().apps[0].last_spawn_error == "boom"


def test_a_spawn_that_failed_by_accident_is_made_again_at_once(make_scene):
    """Somebody killed a spawner: who waits goes on waiting."""
    scene = make_scene()
    scene.add("shop")
    scene.ask("t1")
    accident = SpawnFailed(1, "a spawner was killed", 0.0, innocent=True)
    assert scene.tell(accident) == [StartSpawn(2, "shop", 0)]
    assert scene.app_state() == "starting"
    assert scene.pool.view().apps[0].last_spawn_error == "a spawner was killed"
    assert scene.ready(2) == [GrantSession("t1", 2)]
    assert scene.pool.view().apps[0].last_spawn_error is None


def test_accidents_in_a_row_over_ten_seconds_are_the_apps_fault(make_scene):
    """It may make its spawner crash; a success forgives all."""
    scene = make_scene()
    scene.add("shop", min_instances=0)
    for _ in range(2):
        scene.ask("t1")
        number = max(scene.states())
        for _ in range(5):
            scene.now += 1.8
            scene.tell(SpawnFailed(number, "crash", 0.0, innocent=True))
            number += 1
            assert scene.orders == [StartSpawn(number, "shop", 0)]
        scene.ready(number)
        scene.end(number)
        scene.exit(number)
    scene.ask("t1")
    number = max(scene.states())
    for _ in range(5):
        scene.tell(SpawnFailed(number, "crash", 0.0, innocent=True))
        number += 1
    scene.now += 10.0
    scene.tell(SpawnFailed(number, "boom", 0.0, innocent=True))
    assert scene.orders == [spawn_failed("t1")]
    assert scene.app_state() == "backing-off"


def test_an_app_that_kills_itself_is_found_out_after_six_spawns(make_scene):
    """That takes it a few seconds; who kills at random never meets so many."""
    scene = make_scene()
    scene.add("shop")
    scene.ask("t1")
    for number in range(1, 7):
        scene.now += 0.1
        scene.tell(SpawnFailed(number, "killed", 0.0, innocent=True))
        assert scene.orders == [StartSpawn(number + 1, "shop", 0)]
    scene.tell(SpawnFailed(7, "boom", 0.0, innocent=True))
    assert scene.orders == [spawn_failed("t1")]
    assert scene.app_state() == "backing-off"


def test_three_accidents_are_none_of_the_apps_fault_however_slow(make_scene):
    """An app that loads for minutes may meet three kills, too."""
    scene = make_scene()
    scene.add("shop")
    scene.ask("t1")
    for number in (1, 2, 3):
        scene.now += 60.0
        scene.tell(SpawnFailed(number, "killed", 0.0, innocent=True))
        assert scene.orders == [StartSpawn(number + 1, "shop", 0)]
    scene.now += 60.0
    scene.tell(SpawnFailed(4, "boom", 0.0, innocent=True))
    assert scene.orders == [spawn_failed("t1")]


def test_an_app_in_back_off_answers_at_once(make_scene):
    """503, when to come back in whole seconds, and the error behind it."""
    scene = make_scene(first_back_off=10.0)
    scene.add("shop")
    scene.ask("t1")
    scene.fail(1)
    scene.now = 1.2
    assert scene.ask("t2") is None
    reason = (
        "shop could not be started 1 times in a row; it is not tried again for 6.3 s"
    )
    assert scene.orders == [RejectCheckout("t2", "shop", 503, reason, 7, "boom")]
    assert scene.pool.view().queue == 0


def test_after_the_back_off_the_minimum_is_tried_again(make_scene):
    """The wake-up call is for the very end of the wait."""
    scene = make_scene(first_back_off=8.0)
    scene.add("shop")
    scene.ask("t1")
    scene.fail(1)
    assert ("shop", 6.0) in scene.wakes
    assert scene.wait(5.5) == []
    assert scene.wait(0.5) == [StartSpawn(2, "shop", 0)]
    scene.fail(2)
    assert scene.wait(11.5) == []
    assert scene.wait(0.5) == [StartSpawn(3, "shop", 0)]
    assert scene.ready(3) == []
    assert scene.app_state() == "ready"
    assert scene.pool.view().apps[0].last_spawn_error is None


def test_without_a_minimum_the_next_request_tries_again(make_scene):
    """Nobody asks: nothing is started, and the app counts as stopped."""
    scene = make_scene()
    scene.add("shop", min_instances=0)
    scene.ask("t1")
    scene.fail(1)
    assert scene.wait(60.0) == []
    assert scene.app_state() == "stopped"
    assert scene.ask("t2") is None
    assert scene.orders == [StartSpawn(2, "shop", 0)]


def test_a_request_need_not_wait_for_the_wake_up_call(make_scene):
    """The service's timer is coarse; the clock decides."""
    scene = make_scene()
    scene.add("shop")
    scene.ask("t1")
    scene.fail(1)
    scene.now = 0.08
    assert scene.pool.checkout("shop", "t2", scene.now) is None
    assert StartSpawn(2, "shop", 0) in scene.pool.take_actions()
    assert scene.app_state() == "starting"


def test_live_workers_go_on_serving_and_only_the_announcement_says_so(make_scene):
    """The waiters wait for them, in back-off too; the app is degraded."""
    scene = make_scene(first_back_off=8.0)
    scene.add("shop")
    scene.hire("shop", 1)
    scene.ask("t1")
    scene.ask("t2")
    assert scene.fail(2) == []
    assert SpawnHasFailed("shop", 2, "boom", 1, 6.0) in scene.notices
    assert scene.app_state() == "degraded"
    assert (scene.ask("t3"), scene.orders) == (None, [])
    assert scene.end(1) == "t2"
    assert scene.wait(6.0) == [StartSpawn(3, "shop", 0)]
    assert scene.ready(3) == [GrantSession("t3", 3)]
    assert scene.app_state() == "ready"


def test_the_last_worker_dies_in_back_off_and_takes_the_waiters_along(make_scene):
    """Nobody is left who could serve them for now."""
    scene = make_scene(first_back_off=10.0)
    scene.add("shop")
    scene.hire("shop", 1)
    scene.ask("t1")
    scene.ask("t2")
    scene.fail(2)
    (rejected,) = scene.exit(1)
    assert (rejected.ticket, rejected.status, rejected.retry_after) == ("t2", 503, 8)
    assert scene.app_state() == "backing-off"


def test_of_two_spawns_under_way_one_may_still_succeed(make_scene):
    """The error is answered at once; success ends the back-off."""
    scene = make_scene(first_back_off=10.0)
    scene.add("shop", spawn_concurrency=2)
    scene.ask("t1")
    scene.ask("t2")
    assert scene.fail(1) == [spawn_failed("t1"), spawn_failed("t2")]
    assert scene.ready(2) == []
    assert (scene.app_state(), scene.ask("t3")) == ("ready", 2)


def test_of_two_spawns_under_way_one_outlasts_the_back_off(make_scene):
    """The app is starting again when its wait is over and a spawn goes on."""
    scene = make_scene()
    scene.add("shop", spawn_concurrency=2)
    scene.ask("t1")
    scene.ask("t2")
    scene.fail(1)
    assert scene.app_state() == "backing-off"
    assert scene.wait(1.0) == []
    assert scene.app_state() == "starting"


def test_a_worker_that_dies_is_replaced_to_keep_the_minimum(make_scene):
    """At once, and announced with what it had."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 1)
    scene.ask("t1")
    assert scene.exit(1) == [StartSpawn(2, "shop", 0)]
    assert scene.notices[-3:] == [
        WorkerDied("shop", 1, 1),
        AppStateChanged("shop", AppState.READY, AppState.STOPPED),
        AppStateChanged("shop", AppState.STOPPED, AppState.STARTING),
    ]
    assert scene.end(1) is None


def test_waiters_outlive_the_worker_they_waited_for(make_scene):
    """They get the next one, in their order."""
    scene = make_scene(max_pool_size=1)
    scene.add("shop", min_instances=0)
    scene.hire("shop", 1)
    for ticket in ("t1", "t2", "t3"):
        scene.ask(ticket)
    assert scene.exit(1) == [StartSpawn(2, "shop", 0)]
    assert scene.ready(2) == [GrantSession("t2", 2)]


def test_workers_that_die_before_they_answered_anything_come_back_slowly(make_scene):
    """The first at once, then after 0.1 s, 0.2 s ...; a request at once."""
    scene = make_scene()
    scene.add("shop", prestart=True)
    scene.ready(1)
    assert scene.exit(1) == [StartSpawn(2, "shop", 0)]
    scene.ready(2)
    assert scene.exit(2) == []
    assert scene.wait(0.1) == [StartSpawn(3, "shop", 0)]
    scene.ready(3)
    assert scene.exit(3) == []
    assert scene.wait(0.15) == []
    scene.ask("t1")
    assert scene.orders == [StartSpawn(4, "shop", 0)]
    assert scene.ready(4) == [GrantSession("t1", 4)]
    assert scene.end(4) is None
    assert scene.exit(4) == [StartSpawn(5, "shop", 0)]


def test_a_worker_that_cannot_be_reached_is_killed_and_gets_nothing(make_scene):
    """Its sessions count no more, whatever the service still reports."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 1)
    scene.ask("t1")
    assert scene.tell(WorkerLost(1)) == [
        KillWorker(1, "its connections broke"),
        StartSpawn(2, "shop", 0),
    ]
    assert WorkerUnreachable("shop", 1, 1) in scene.notices
    assert scene.end(1) is None
    assert scene.exit(1) == []
    assert not any(isinstance(notice, WorkerDied) for notice in scene.notices)


@pytest.mark.parametrize("gone", [False, True])
def test_connections_that_end_with_their_worker_are_no_news(make_scene, gone):
    """It was asked to leave, or has left."""
    scene = make_scene(max_pool_size=1)
    scene.add("a", min_instances=0)
    scene.add("b")
    scene.hire("a", 1)
    scene.ask("t1", "b")
    if gone:
        scene.exit(1)
    before = len(scene.notices)
    assert scene.tell(WorkerLost(1)) == []
    assert len(scene.notices) == before


def test_reports_on_a_worker_that_is_gone_are_late_and_change_nothing(make_scene):
    """Spawn, process and connections end one after the other in any order."""
    scene = make_scene()
    scene.add("shop", min_instances=0)
    scene.ask("t1")
    scene.fail(1)
    before = scene.pool.view()
    assert scene.exit(1) == scene.fail(1) == scene.ready(1) == []
    assert scene.tell(WorkerLost(1)) == []
    assert scene.pool.view() == before


@pytest.mark.parametrize("report", ["failed", "ready"])
def test_a_process_that_ends_while_it_gets_ready_is_a_failed_spawn(make_scene, report):
    """The spawn's own report is waited for, since it has the error."""
    scene = make_scene()
    scene.add("shop")
    scene.ask("t1")
    assert scene.exit(1) == []
    assert scene.states() == {1: "starting"}
    (rejected,) = scene.fail(1) if report == "failed" else scene.ready(1)
    assert (rejected.ticket, rejected.status) == ("t1", 500)
    assert rejected.error == ("boom" if report == "failed" else None)
    assert scene.states() == {}


def test_a_worker_that_answered_something_ends_a_row_of_early_deaths(make_scene):
    """The next early death is the first in a row again."""
    scene = make_scene()
    scene.add("shop", prestart=True)
    scene.ready(1)
    assert scene.exit(1) == [StartSpawn(2, "shop", 0)]
    scene.ready(2)
    scene.ask("t1")
    scene.end(2)
    assert scene.exit(2) == [StartSpawn(3, "shop", 0)]
    scene.ready(3)
    assert scene.exit(3) == [StartSpawn(4, "shop", 0)]
