"""Requests: who gets which worker, and who waits."""

from __future__ import annotations

import pytest

from passtwist.pool import GrantSession, RejectCheckout, StartSpawn, WakeAt


def test_the_first_request_waits_for_a_worker_that_it_causes(make_scene):
    """An app has no worker until somebody asks for it."""
    scene = make_scene()
    assert scene.add("shop") == []
    assert scene.ask("t1") is None
    assert scene.orders == [StartSpawn(1, "shop", 0)]
    assert scene.ready(1) == [GrantSession("t1", 1)]
    assert scene.states() == {1: "busy"}


def test_a_free_worker_serves_at_once_and_nothing_follows(make_scene):
    """The hot path: an answer, and no action at all."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 1)
    assert scene.ask("t1") == 1
    assert scene.end(1) is None
    assert scene.pool.outbox == scene.orders == []
    assert scene.states() == {1: "idle"}


def test_requests_one_after_the_other_need_one_worker(make_scene):
    """A worker that was free when the request came is no reason to start another."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 1)
    for ticket in range(20):
        assert scene.ask(ticket) == 1
        assert scene.end(1) is None
    assert scene.states() == {1: "idle"}


def test_whoever_waits_longest_is_served_first(make_scene):
    """The end of a session answers with the next ticket, already counted."""
    scene = make_scene(max_pool_size=1)
    scene.add("shop")
    scene.hire("shop", 1)
    assert [scene.ask(t) for t in ("t1", "t2", "t3", "t4")] == [1, None, None, None]
    scene.cancel("t3")
    assert [scene.end(1), scene.end(1), scene.end(1)] == ["t2", "t4", None]
    assert scene.states() == {1: "idle"}


def test_a_worker_with_threads_takes_as_many_sessions_and_no_more(make_scene):
    """A full worker gets nothing."""
    scene = make_scene(max_pool_size=1)
    scene.add("shop", concurrency=3)
    scene.hire("shop", 1, concurrency=3)
    assert [scene.ask(t) for t in range(4)] == [1, 1, 1, None]
    assert scene.end(1) == 3
    (view,) = scene.pool.view().apps[0].workers
    assert (view.sessions, view.concurrency) == (3, 3)


def test_a_new_worker_takes_as_many_waiters_as_it_carries(make_scene):
    """Waiters are granted in the order in which they came."""
    scene = make_scene(max_pool_size=1)
    scene.add("shop", concurrency=2)
    for ticket in ("t1", "t2", "t3"):
        scene.ask(ticket)
    assert scene.ready(1, 2) == [GrantSession("t1", 1), GrantSession("t2", 1)]


def test_least_busy_first_then_oldest_so_that_surplus_goes_idle(make_scene):
    """Two workers with two threads: spread first, and the older one again."""
    scene = make_scene(max_pool_size=2)
    scene.add("shop", concurrency=2, min_instances=2)
    assert scene.hire("shop", 2, concurrency=2) == [1, 2]
    assert [scene.ask(t) for t in range(4)] == [1, 2, 1, 2]
    for worker in (1, 1, 2, 2):
        scene.end(worker)
    assert scene.ask("next") == 1


def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(make_scene):
    """503 with Retry-After; those who wait already are not touched."""
    scene = make_scene(max_pool_size=1)
    scene.add("shop", max_queue_size=2)
    scene.hire("shop", 1)
    for ticket in ("t1", "t2", "t3"):
        scene.ask(ticket)
    assert scene.ask("t4") is None
    assert scene.orders == [
        RejectCheckout(
            "t4", "shop", 503, "2 requests wait for shop already (max_queue_size)", 1
        )
    ]
    assert scene.end(1) == "t2"
    assert (scene.ask("t5"), scene.orders) == (None, [])


def test_no_limit_means_no_limit(make_scene):
    """max_queue_size = 0: everybody may wait."""
    scene = make_scene(max_pool_size=1)
    scene.add("shop", max_queue_size=0)
    for ticket in range(500):
        scene.ask(ticket)
    assert scene.pool.view().queue == 500


def test_time_in_the_queue_ends_with_504_and_never_early(make_scene):
    """One wake-up call for the first in the queue; the next is set by it."""
    scene = make_scene(max_pool_size=1)
    scene.add("shop", max_queue_time=2.0)
    scene.ask("t1")
    scene.ready(1)
    scene.ask("t2")
    scene.now = 1.0
    scene.ask("t3")
    assert scene.wakes == [("shop", 2.0)]
    assert scene.wait(0.999) == []
    reason = "no worker of shop was free for 2 s (max_queue_time)"
    assert scene.wait(0.001) == [RejectCheckout("t2", "shop", 504, reason)]
    assert scene.wakes == [("shop", 2.0), ("shop", 3.0)]
    assert scene.end(1) == "t3"
    assert scene.wait(5.0) == []


def test_cancelling_is_harmless_for_who_does_not_wait(make_scene):
    """An unknown ticket, one that was granted, one of an app that is gone."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 1)
    scene.ask("t1")
    for app, ticket in (("shop", "t1"), ("shop", "t9"), ("gone", "t1")):
        assert scene.cancel(ticket, app) == []
    assert scene.states() == {1: "busy"}


def test_wrong_questions_raise_and_change_nothing(make_scene):
    """An app that is not there, a ticket that waits, an app that is there."""
    scene = make_scene(max_pool_size=1)
    scene.add("shop")
    scene.ask("t1")
    before = scene.pool.view()
    with pytest.raises(KeyError):
        scene.ask("t1", "blog")
    with pytest.raises(ValueError, match="'t1' waits already"):
        scene.ask("t1")
    with pytest.raises(ValueError, match="there is an app shop already"):
        scene.add("shop")
    with pytest.raises(ValueError, match="at least one session"):
        scene.ready(1, 0)
    assert scene.pool.view() == before


def test_the_outbox_is_one_list_that_taking_empties(make_scene):
    """Whoever keeps a reference to it sees what is added later."""
    scene = make_scene(max_pool_size=1)
    scene.add("shop", max_queue_time=1.0)
    outbox = scene.pool.outbox
    scene.pool.checkout("shop", "t1", 0.0)
    assert StartSpawn(1, "shop", 0) in outbox
    assert WakeAt("shop", 1.0) in outbox
    taken = scene.pool.take_actions()
    assert (len(taken), outbox, scene.pool.outbox is outbox) == (3, [], True)
