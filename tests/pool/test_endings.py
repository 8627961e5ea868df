"""Idle workers, idle spawners, apps that go, and the end of the server."""

from __future__ import annotations

from passtwist.model import Limits
from passtwist.pool import (
    AppAdded,
    AppRemoved,
    DetachRequested,
    GrantSession,
    KillWorker,
    PoolDrained,
    RejectCheckout,
    ReleaseSpawners,
    ShutdownRequested,
    StartSpawn,
    StopRequested,
    StopWorker,
    WorkerRetired,
)

SHUTTING_DOWN = "the server is shutting down"


def test_idle_workers_above_the_minimum_retire(make_scene):
    """Each when its own time is up; a session starts it anew."""
    scene = make_scene(pool_idle_time=10.0)
    scene.add("shop")
    scene.hire("shop", 3)
    scene.now = 4.0
    assert scene.ask("t1") == 1
    scene.end(1)
    assert scene.wakes[0] == (None, 10.0)
    assert scene.wait(5.5) == []
    assert scene.wait(0.5) == [
        StopWorker(2, "it was idle for 10 s"),
        StopWorker(3, "it was idle for 10 s"),
    ]
    assert WorkerRetired("shop", 2, 10.0) in scene.notices
    assert scene.wait(1000.0) == []
    assert scene.states() == {1: "idle", 2: "stopping", 3: "stopping"}


def test_a_worker_that_is_not_idle_any_more_is_spared(make_scene):
    """The alarm finds it busy, and rings again when it may be due."""
    scene = make_scene(pool_idle_time=10.0)
    scene.add("shop", min_instances=0)
    scene.hire("shop", 1)
    scene.now = 9.0
    scene.ask("t1")
    scene.end(1)
    assert scene.wait(9.5) == []
    assert scene.wait(0.5) == [StopWorker(1, "it was idle for 10 s")]
    assert scene.app_state() == "stopped"


def test_with_no_idle_time_workers_stay(make_scene):
    """pool_idle_time = 0: for ever, and nobody is woken for it."""
    scene = make_scene(pool_idle_time=0.0)
    scene.add("shop", min_instances=0)
    scene.hire("shop", 2)
    assert scene.wait(10**6) == []
    assert scene.wakes == []


def test_spawners_are_released_some_time_after_the_last_worker(make_scene):
    """A worker that comes meanwhile keeps them."""
    scene = make_scene(spawner_idle_time=60.0)
    scene.add("shop", min_instances=0)
    scene.hire("shop", 1)
    scene.exit(1)
    assert scene.wait(59.0) == []
    scene.hire("shop", 1)
    assert scene.wait(200.0) == []
    scene.exit(2)
    assert scene.wait(59.5) == []
    assert scene.wait(0.5) == [ReleaseSpawners("shop")]
    assert scene.wait(200.0) == []


def test_a_removed_app_lets_its_requests_finish(make_scene):
    """Waiters are refused, spawns cancelled, sessions ended in peace."""
    scene = make_scene(max_pool_size=3)
    scene.add("shop", spawn_concurrency=2)
    scene.hire("shop", 2)
    for ticket in ("t1", "t2", "t3"):
        scene.ask(ticket)
    assert scene.tell(AppRemoved("shop")) == [
        RejectCheckout("t3", "shop", 503, "shop was removed", 1),
        KillWorker(3, "shop was removed"),
        ReleaseSpawners("shop"),
    ]
    assert [worker.state.value for worker in scene.pool.view().leaving] == [
        "draining",
        "draining",
        "stopping",
    ]
    assert scene.add("shop", prestart=True) == [StartSpawn(4, "shop", 0)]
    assert scene.end(1) is None
    assert scene.orders == [StopWorker(1, "its last session has ended")]
    assert scene.fail(3) == scene.exit(1) == scene.exit(2) == []
    assert (scene.states(), scene.pool.view().leaving) == ({4: "starting"}, ())


def test_a_spawn_that_was_cancelled_too_late_is_sent_home(make_scene):
    """It may be ready by the time the service hears that nobody wants it."""
    scene = make_scene()
    scene.add("shop", prestart=True)
    assert scene.tell(DetachRequested(1)) == [
        KillWorker(1, "it was detached"),
        StartSpawn(2, "shop", 0),
    ]
    reason = "it was ready when it was not wanted any more"
    assert scene.ready(1) == [StopWorker(1, reason)]
    assert scene.exit(1) == []
    assert scene.states() == {2: "starting"}


def test_a_cancelled_spawn_that_fails_is_no_failure_of_the_app(make_scene):
    """It counts for no back-off."""
    scene = make_scene()
    scene.add("shop", prestart=True)
    scene.tell(DetachRequested(1))
    assert scene.fail(1, "cancelled") == []
    assert scene.pool.view().apps[0].last_spawn_error is None
    assert scene.app_state() == "starting"


def test_a_shutdown_refuses_who_comes_and_serves_who_waits(make_scene):
    """Idle workers leave at once, the others when nobody waits for them."""
    scene = make_scene(max_pool_size=2)
    scene.add("shop", max_instances=1)
    scene.add("blog")
    scene.hire("shop", 1)
    scene.hire("blog", 1)
    scene.ask("t1")
    scene.ask("t2")
    assert scene.tell(ShutdownRequested()) == [StopWorker(2, SHUTTING_DOWN)]
    assert scene.ask("t3") is None
    assert scene.orders == [RejectCheckout("t3", "shop", 503, SHUTTING_DOWN, 1)]
    assert scene.end(1) == "t2"
    assert scene.end(1) is None
    assert scene.orders == [StopWorker(1, SHUTTING_DOWN)]
    scene.exit(1)
    assert PoolDrained() not in scene.notices
    scene.exit(2)
    assert scene.notices[-1] == PoolDrained()


def test_a_shutdown_waits_for_the_spawn_that_somebody_waits_for(make_scene):
    """And cancels the one that nobody does."""
    scene = make_scene()
    scene.add("shop")
    scene.add("blog", prestart=True)
    scene.ask("t1")
    assert scene.tell(ShutdownRequested()) == [KillWorker(1, SHUTTING_DOWN)]
    assert scene.ready(2) == [GrantSession("t1", 2)]
    assert scene.end(2) is None
    assert scene.orders == [StopWorker(2, SHUTTING_DOWN)]


def test_an_empty_pool_is_drained_at_once(make_scene):
    """And says so once; apps that come later start nothing."""
    scene = make_scene()
    scene.add("shop")
    assert scene.tell(ShutdownRequested()) == []
    scene.tell(ShutdownRequested())
    assert scene.notices == [PoolDrained()]
    assert scene.tell(AppAdded("blog", Limits(prestart=True))) == []


def test_the_last_waiter_who_leaves_ends_the_shutdown(make_scene):
    """Nobody works and nobody waits any more."""
    scene = make_scene(spawn_concurrency=1)
    scene.add("a")
    scene.ask("t1", "a")
    scene.tell(ShutdownRequested())
    scene.cancel("t1", "a")
    scene.ready(1)
    scene.exit(1)
    assert scene.notices[-1] == PoolDrained()


def test_a_stop_refuses_who_waits_and_kills_who_works(make_scene):
    """Also those that were leaving already."""
    scene = make_scene(max_pool_size=2)
    scene.add("shop", max_instances=1)
    scene.add("blog", spawn_concurrency=2, min_instances=0)
    scene.hire("blog", 1)
    scene.tell(DetachRequested(1))
    scene.hire("shop", 1)
    scene.ask("t1")
    scene.ask("t2")
    scene.ask("t3", "blog")
    kills = [KillWorker(worker, "the server stops") for worker in (1, 2, 3)]
    assert scene.tell(StopRequested()) == [
        RejectCheckout("t2", "shop", 503, SHUTTING_DOWN, 1),
        RejectCheckout("t3", "blog", 503, SHUTTING_DOWN, 1),
        *kills,
    ]
    assert scene.end(2) is None
    assert scene.exit(1) == scene.exit(2) == scene.fail(3) == []
    assert scene.notices[-1] == PoolDrained()
