"""Workers that have done enough, take too much, or are taken out of service."""

from __future__ import annotations

import pytest

from passtwist.pool import (
    DetachRequested,
    DisableRequested,
    EnableRequested,
    GrantSession,
    KillWorker,
    MemorySampled,
    RequestOverran,
    ShutdownRequested,
    SpawnHasFailed,
    StartSpawn,
    StopWorker,
    WorkerDied,
    WorkerDismissed,
    WorkerOverstayed,
    WorkerReady,
    WorkerRecycled,
)

MIB = 1 << 20


def worker_view(scene, number, app="shop"):
    views = {view.name: view for view in scene.pool.view().apps}
    return {worker.id: worker for worker in views[app].workers}[number]


def serve(scene, times, app="shop"):
    """So many requests one after the other, all by the same worker."""
    for ticket in range(times):
        worker = scene.ask(("serve", ticket), app)
        scene.end(worker)
    return scene.orders


# --- max_requests ----------------------------------------------------------


def test_a_worker_that_answered_enough_is_replaced(make_scene):
    """First the other one is ready, then it leaves."""
    scene = make_scene()
    scene.add("shop", max_requests=3, prestart=True)
    scene.ready(1)
    assert serve(scene, 2) == []
    assert serve(scene, 1) == [StartSpawn(2, "shop", 0)]
    assert scene.ask("t1") == 1
    assert scene.ready(2) == []
    assert scene.states() == {1: "draining", 2: "idle"}
    scene.end(1)
    assert scene.orders == [StopWorker(1, "its last session has ended")]
    reason = "it has answered 3 requests"
    assert WorkerRecycled("shop", 1, reason) in scene.notices
    assert scene.app_state() == "ready"


@pytest.mark.parametrize(
    ("most", "jitter", "limit"),
    [(50, 0.0, 50), (50, 0.99, 46), (1000, 0.5, 950), (1, 0.9, 1), (9, 0.99, 9)],
)
def test_chance_spares_a_worker_up_to_a_tenth(make_scene, most, jitter, limit):
    """Never more than max_requests, never less than nine tenths."""
    scene = make_scene()
    scene.add("shop", max_requests=most, prestart=True)
    scene.tell(WorkerReady(1, 1, jitter))
    assert serve(scene, limit - 1) == []
    assert serve(scene, 1) == [StartSpawn(2, "shop", 0)]


def test_of_an_app_one_worker_is_recycled_at_a_time(make_scene):
    """The next begins when the place of the first is taken."""
    scene = make_scene()
    scene.add("shop", max_requests=1, restart_parallelism=5, min_instances=3)
    for ticket in ("t1", "t2", "t3"):
        scene.ask(ticket)
    scene.ready(1)
    scene.ready(2)
    scene.ready(3)
    scene.end(1)
    assert scene.orders == [StartSpawn(4, "shop", 0)]
    scene.end(2)
    scene.end(3)
    assert scene.orders == []
    assert scene.ready(4) == [
        StopWorker(1, "it has answered 1 requests"),
        StartSpawn(5, "shop", 0),
    ]


def test_a_worn_worker_serves_who_waits(make_scene):
    """Its session's end has a follower as ever."""
    scene = make_scene()
    scene.add("shop", max_requests=1, max_instances=1, prestart=True)
    scene.ready(1)
    scene.ask("t1")
    scene.ask("t2")
    assert scene.end(1) == "t2"
    assert scene.orders == [StartSpawn(2, "shop", 0)]


def test_a_worker_that_cannot_be_replaced_goes_on(make_scene):
    """With the app's back-off between the attempts."""
    scene = make_scene(first_back_off=8.0)
    scene.add("shop", max_requests=1, prestart=True)
    scene.ready(1)
    serve(scene, 1)
    assert scene.fail(2) == []
    assert SpawnHasFailed("shop", 2, "boom", 1, 6.0) in scene.notices
    assert scene.app_state() == "degraded"
    assert scene.ask("t1") == 1
    assert scene.wait(5.5) == []
    assert scene.wait(0.5) == [StartSpawn(3, "shop", 0)]
    scene.ready(3)
    assert scene.app_state() == "ready"


def test_a_worn_worker_that_died_is_replaced_by_the_one_that_starts(make_scene):
    """Nobody else is started for the minimum."""
    scene = make_scene()
    scene.add("shop", max_requests=1, prestart=True)
    scene.ready(1)
    serve(scene, 1)
    assert scene.exit(1) == []
    assert scene.app_state() == "starting"
    scene.ask("t1")
    assert scene.ready(2) == [GrantSession("t1", 2)]


def test_a_worn_worker_that_is_not_missed_is_not_replaced(make_scene):
    """It retired meanwhile; the spawn is given up."""
    scene = make_scene(pool_idle_time=10.0)
    scene.add("shop", max_requests=1, min_instances=0, prestart=True)
    scene.ask("t1")
    scene.ready(1)
    scene.end(1)
    assert scene.wait(10.0) == [
        StopWorker(1, "it was idle for 10 s"),
        KillWorker(2, "nobody is left to be replaced"),
    ]


# --- memory ----------------------------------------------------------------


def test_a_worker_over_its_memory_limit_is_replaced(make_scene):
    """A sample at the limit is none over it."""
    scene = make_scene()
    scene.add("shop", memory_limit=100 * MIB)
    scene.hire("shop", 2)
    assert scene.tell(MemorySampled({1: 100 * MIB, 2: 50 * MIB})) == []
    assert scene.tell(MemorySampled({1: 120 * MIB, 2: 130 * MIB, 99: 1})) == [
        StartSpawn(3, "shop", 0)
    ]
    reason = "it takes 120 MiB (memory_limit)"
    assert scene.ready(3) == [StopWorker(1, reason), StartSpawn(4, "shop", 0)]
    assert scene.notices[-1] == WorkerRecycled("shop", 1, reason)


def test_a_worker_that_was_not_used_is_as_small_as_they_get(make_scene):
    """Recycling it would have no end."""
    scene = make_scene()
    scene.add("shop", memory_limit=1, prestart=True)
    scene.ready(1)
    assert scene.tell(MemorySampled({1: 2})) == []


def test_a_worker_over_the_hard_limit_is_killed_at_once(make_scene):
    """With what it has; another one comes for the minimum."""
    scene = make_scene()
    scene.add("shop", memory_limit=1, hard_memory_limit=200 * MIB)
    scene.hire("shop", 1)
    scene.ask("t1")
    reason = "it takes 300 MiB (hard_memory_limit)"
    assert scene.tell(MemorySampled({1: 300 * MIB})) == [
        KillWorker(1, reason),
        StartSpawn(2, "shop", 0),
    ]
    assert WorkerRecycled("shop", 1, reason) in scene.notices
    assert scene.tell(MemorySampled({1: 300 * MIB})) == []


def test_the_hard_limit_holds_while_new_code_awaits_its_proof(make_scene):
    """A worn worker waits for the new code; one that is too big can't."""
    scene = make_scene()
    scene.add("shop", memory_limit=100, hard_memory_limit=200 * MIB)
    scene.hire("shop", 2)
    assert scene.restart() == [StartSpawn(3, "shop", 1)]
    assert scene.tell(MemorySampled({1: 150, 2: 150})) == []
    scene.ask("t1")
    reason = "it takes 300 MiB (hard_memory_limit)"
    assert scene.tell(MemorySampled({1: 300 * MIB, 2: 150})) == [KillWorker(1, reason)]
    assert scene.app_state() == "restarting"
    # The last one, too; then what is known to work is started again.
    (kill, *others) = scene.tell(MemorySampled({2: 300 * MIB}))
    assert kill == KillWorker(2, reason)
    assert others == [StartSpawn(4, "shop", 0)]
    assert scene.ready(3)[0] == KillWorker(4, "it has old code")
    assert scene.states() == {1: "stopping", 2: "stopping", 3: "idle", 4: "stopping"}


def test_workers_that_are_too_big_from_the_start_come_back_slowly(make_scene):
    """The hard limit of such an app is met by each of them."""
    scene = make_scene()
    scene.add("shop", hard_memory_limit=1, prestart=True)
    for number in (1, 2):
        scene.ready(number)
        scene.tell(MemorySampled({number: 2}))
    assert scene.states() == {1: "stopping", 2: "stopping"}
    assert scene.wait(0.1) == [StartSpawn(3, "shop", 0)]


# --- requests that overran, workers that don't leave -----------------------


def test_a_worker_with_an_overrun_request_gets_no_more(make_scene):
    """It is not waited for its replacement, which comes at once if missed."""
    scene = make_scene()
    scene.add("shop", concurrency=2)
    scene.hire("shop", 1, concurrency=2)
    scene.ask("t1")
    scene.ask("t2")
    assert scene.tell(RequestOverran(1)) == [StartSpawn(2, "shop", 0)]
    assert scene.states() == {1: "draining", 2: "starting"}
    reason = "a request in it took too long"
    assert WorkerRecycled("shop", 1, reason) in scene.notices
    scene.end(1)
    assert scene.orders == []
    assert scene.tell(RequestOverran(1)) == scene.tell(RequestOverran(2)) == []


def test_a_worker_that_does_not_come_to_its_end_is_killed(make_scene):
    """After drain_time, with a notice that says what it had."""
    scene = make_scene()
    scene.add("shop", drain_time=30.0)
    scene.hire("shop", 1)
    scene.ask("t1")
    scene.now = 5.0
    scene.tell(DetachRequested(1))
    scene.ready(2)
    assert (None, 35.0) in scene.wakes
    assert scene.wait(29.5) == []
    reason = "it did not come to an end in 30 s (drain_time)"
    assert scene.wait(0.5) == [KillWorker(1, reason)]
    assert WorkerOverstayed("shop", 1, 1, 30.0) in scene.notices
    assert scene.end(1) is None
    assert scene.exit(1) == []
    assert not any(isinstance(notice, WorkerDied) for notice in scene.notices)


def test_without_a_drain_time_it_may_take_for_ever(make_scene):
    """And one that came to its end in time is left alone."""
    scene = make_scene(pool_idle_time=0.0)
    scene.add("shop", min_instances=0)
    scene.add("blog", min_instances=0, drain_time=10.0)
    scene.hire("shop", 1)
    scene.hire("blog", 1)
    scene.ask("t1", "shop")
    scene.ask("t2", "blog")
    scene.tell(DetachRequested(1))
    scene.tell(DetachRequested(2))
    scene.end(2)
    assert scene.wait(1e6) == []


# --- disabled --------------------------------------------------------------


def test_a_disabled_worker_gets_nothing_and_stays(make_scene):
    """Its app starts another one for who waits; the pool has room for it."""
    scene = make_scene(max_pool_size=1)
    scene.add("shop")
    scene.hire("shop", 1)
    scene.ask("t1")
    assert scene.tell(DisableRequested(1)) == [StartSpawn(2, "shop", 0)]
    view = worker_view(scene, 1)
    assert (view.state.value, view.enabled, view.sessions) == ("busy", False, 1)
    assert scene.ask("t2") is None
    assert scene.end(1) is None
    view = worker_view(scene, 1)
    assert (view.state.value, view.enabled, view.idle_since) == ("idle", False, 0.0)
    assert scene.ready(2) == [GrantSession("t2", 2)]
    assert scene.pool.view().capacity_used == 1
    assert scene.wait(1e4) == []


def test_an_enabled_worker_serves_who_waits(make_scene):
    """It is in service again as if nothing had been."""
    scene = make_scene()
    scene.add("shop", max_instances=2, concurrency=2)
    scene.hire("shop", 1, concurrency=2)
    scene.ask("t1")
    scene.tell(DisableRequested(1))
    scene.ask("t2")
    assert scene.tell(EnableRequested(1)) == [GrantSession("t2", 1)]
    assert worker_view(scene, 1).enabled
    assert scene.states() == {1: "busy", 2: "starting"}
    scene.end(1)
    scene.end(1)
    assert scene.ask("t3") == 1


def test_enabling_finds_no_room_and_somebody_leaves(make_scene):
    """The longest idle of surplus, as if the pool had become smaller."""
    scene = make_scene(max_pool_size=1)
    scene.add("shop")
    scene.hire("shop", 1)
    scene.tell(DisableRequested(1))
    scene.ready(2)
    reason = "more than 1 workers (max_pool_size)"
    scene.now = 1.0
    assert scene.tell(EnableRequested(1)) == [StopWorker(2, reason)]
    assert WorkerDismissed("shop", 2, reason) in scene.notices
    assert scene.states() == {1: "idle", 2: "stopping"}


def test_disabling_and_enabling_twice_or_nobody_is_harmless(make_scene):
    """Nor does it matter for those that start or leave."""
    scene = make_scene()
    scene.add("shop", min_instances=0, prestart=True)
    scene.ask("t1")
    before = scene.pool.view()
    for event in (DisableRequested(1), EnableRequested(1), EnableRequested(7)):
        assert scene.tell(event) == []
    assert scene.pool.view() == before
    scene.ready(1)
    scene.end(1)
    assert scene.tell(DisableRequested(1)) == scene.tell(DisableRequested(1)) == []
    assert scene.app_state() == "stopped"
    assert scene.tell(EnableRequested(1)) == scene.tell(EnableRequested(1)) == []
    assert (scene.app_state(), scene.ask("t2")) == ("ready", 1)


def test_a_disabled_worker_that_dies_is_a_death(make_scene):
    """Nobody asked it to."""
    scene = make_scene()
    scene.add("shop", min_instances=0)
    scene.hire("shop", 1)
    scene.tell(DisableRequested(1))
    scene.exit(1)
    assert scene.notices[-1] == WorkerDied("shop", 1, 0)
    assert scene.states() == {}


def test_an_app_whose_spawns_fail_serves_again_by_an_enabled_worker(make_scene):
    """It is degraded until a spawn succeeds."""
    scene = make_scene(first_back_off=10.0)
    scene.add("shop")
    scene.hire("shop", 1)
    scene.ask("t1")
    scene.tell(DisableRequested(1))
    scene.fail(2)
    assert scene.app_state() == "backing-off"
    scene.tell(EnableRequested(1))
    assert scene.app_state() == "degraded"


def test_disabled_workers_leave_with_the_server(make_scene):
    """An idle one at once, one with a session after it."""
    scene = make_scene()
    scene.add("shop", min_instances=0)
    scene.hire("shop", 2)
    scene.ask("t1")
    scene.tell(DisableRequested(1))
    scene.tell(DisableRequested(2))
    assert scene.tell(ShutdownRequested()) == [
        StopWorker(2, "the server is shutting down")
    ]
    scene.end(1)
    assert scene.orders == [StopWorker(1, "its last session has ended")]


# --- a preferred worker ----------------------------------------------------


def test_a_preferred_worker_gets_the_session_if_it_can(make_scene):
    """Free: yes; full, leaving, disabled, another app's, unknown: as any other."""
    scene = make_scene()
    scene.add("shop")
    scene.add("blog")
    scene.hire("shop", 4)
    scene.hire("blog", 1)
    asked = scene.pool.checkout
    assert asked("shop", "t1", 0.0, preferred=3) == 3
    assert asked("shop", "t2", 0.0, preferred=3) == 1
    scene.tell(DisableRequested(2))
    assert asked("shop", "t3", 0.0, preferred=2) == 4
    scene.tell(EnableRequested(2))
    assert asked("shop", "t4", 0.0, preferred=5) == 2
    assert asked("shop", "t5", 0.0, preferred=99) is None
    assert scene.end(3) == "t5"
