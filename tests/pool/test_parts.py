"""The parts of the pool by themselves, against what they stand for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passtwist.model import Limits
from passtwist.pool import PoolLimits, WakeAt
from passtwist.pool.backoff import BackOff
from passtwist.pool.group import Group
from passtwist.pool.routing import Router
from passtwist.pool.states import WorkerEvent
from passtwist.pool.timers import Alarms
from passtwist.pool.waiting import WaitingQueue
from passtwist.pool.worker import Worker


def a_worker(number, generation=0, concurrency=1):
    worker = Worker(number, Group("shop", Limits(), PoolLimits()), generation, 0.0)
    worker.concurrency = concurrency
    worker.advance(WorkerEvent.BECAME_READY)
    return worker


def begin(worker):
    worker.sessions += 1
    if worker.sessions == 1:
        worker.advance(WorkerEvent.FIRST_SESSION_BEGAN)


# --- routing --------------------------------------------------------------------


def test_the_newest_generation_is_chosen_then_the_least_busy_then_the_oldest():
    """Generation goes before busyness, and busyness before age."""
    old = a_worker(1, generation=1, concurrency=4)
    elder = a_worker(2, generation=2, concurrency=2)
    younger = a_worker(3, generation=2, concurrency=2)
    router = Router()
    for worker in (younger, old, elder):
        router.offer(worker)
    chosen = []
    while (worker := router.take()) is not None:
        begin(worker)
        router.offer(worker)
        chosen.append(worker.id)
    assert chosen == [2, 3, 2, 3, 1, 1, 1, 1]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), max_size=6),
    st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=120),
)
def test_the_router_chooses_as_a_search_of_all_workers_would(kinds, steps):
    """However sessions begin and end, and however stale its entries."""
    workers = [a_worker(i, *kind) for i, kind in enumerate(kinds)]
    router = Router()
    for worker in workers:
        router.offer(worker)
    for begins, number in steps:
        if begins:
            roomy = [w for w in workers if w.sessions < w.concurrency]
            best = min(
                roomy, key=lambda w: (-w.generation, w.sessions, w.id), default=None
            )
            assert router.take() is best
            if best is not None:
                begin(best)
                router.offer(best)
        elif number < len(workers) and workers[number].sessions:
            worker = workers[number]
            worker.sessions -= 1
            if not worker.sessions:
                worker.advance(WorkerEvent.LAST_SESSION_ENDED)
            router.offer(worker)


def test_stale_entries_do_not_pile_up():
    """A worker that is never full leaves entries behind; they are tidied."""
    worker, router = a_worker(1, concurrency=9), Router()
    router.offer(worker)
    for _ in range(1000):
        assert router.take() is worker
        begin(worker)
        router.offer(worker)
        worker.sessions -= 1
        worker.advance(WorkerEvent.LAST_SESSION_ENDED)
        router.offer(worker)
    assert len(router._heap) <= 17
    assert router.offered() == {1}


# --- the queue ------------------------------------------------------------------


def test_who_leaves_the_queue_does_not_change_the_order_of_the_others():
    """First come first served, also after somebody in the middle has left."""
    queue = WaitingQueue()
    for number in range(5):
        queue.join(number, float(number))
    del queue[2]
    with pytest.raises(ValueError, match="waits already"):
        queue.join(3, 9.0)
    assert queue.pop_first() == 0
    assert queue.pop_overdue(2.0, now=4.999) == [1]
    assert queue.first_deadline(2.0) == 5.0
    assert queue.pop_overdue(2.0, now=5.0) == [3]
    assert queue.pop_all() == [4]
    assert (queue.pop_all(), queue.first_deadline(2.0)) == ([], None)


# --- back-off -------------------------------------------------------------------


def test_each_failure_doubles_the_wait_up_to_the_longest():
    """0.1 s, 0.2 s, 0.4 s ... 30 s, and again 0.1 s after a success."""
    back_off, waits, now = BackOff(0.1, 30.0), [], 0.0
    for _ in range(11):
        back_off.fail("boom", now, 1.0, now)
        waits.append(round(back_off.until - now, 3))
        now = back_off.until
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    back_off.reset()
    assert (back_off.error, back_off.is_active(now)) == (None, False)
    back_off.fail("boom", now, 1.0, now)
    assert back_off.until == pytest.approx(now + 0.1)


@given(st.integers(1, 2000), st.floats(0, 1, exclude_max=True))
def test_chance_shortens_a_wait_by_a_quarter_at_most(failures, jitter):
    """Whatever the number of failures, the longest wait is never exceeded."""
    back_off = BackOff(0.1, 30.0)
    for _ in range(failures):
        back_off.fail("boom", 0.0, jitter, 0.0)
    whole = min(30.0, 0.1 * 2 ** (min(failures, 60) - 1))
    assert whole * 0.75 <= back_off.until <= whole
    assert back_off.is_active(whole * 0.7)
    assert not back_off.is_active(back_off.until)


def test_spawns_of_one_attempt_that_fail_one_after_the_other_count_once():
    """What began before the last failure says nothing new, only its error."""
    back_off = BackOff(0.1, 30.0)
    back_off.fail("first", began=1.0, jitter=0.0, now=2.0)
    until = back_off.until
    back_off.fail("second", began=1.0, jitter=0.0, now=2.05)
    assert (back_off.failures, back_off.until) == (1, until)
    assert back_off.error == "second"


# --- alarms ---------------------------------------------------------------------


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 50)),
            st.integers(0, 5),
        ),
        max_size=60,
    )
)
def test_an_alarm_rings_once_at_the_earliest_time_it_was_set_to(steps):
    """And the service is told of each time that is earlier than the last."""
    outbox: list[object] = []
    alarms = Alarms(outbox)
    expected: dict[str | None, float] = {}
    now = 0.0
    for step in steps:
        outbox.clear()
        if isinstance(step, int):
            now += step
            due = {key for key, time in expected.items() if time <= now}
            assert set(alarms.pop_due(now)) == due
            expected = {k: t for k, t in expected.items() if k not in due}
        else:
            key, delay = step
            earlier = now + delay < expected.get(key, float("inf"))
            alarms.arm(key, now + delay)
            assert outbox == ([WakeAt(key, now + delay)] if earlier else [])
            expected[key] = min(now + delay, expected.get(key, float("inf")))
        assert alarms.next_time() == min(expected.values(), default=None)


def test_alarms_that_were_moved_do_not_pile_up():
    """A heap entry that rings for nobody is dropped before there are many."""
    alarms = Alarms([])
    for _ in range(1000):
        alarms.arm("shop", 1800.0)
        alarms.arm("shop", 1.0)
        alarms.disarm("shop")
    assert len(alarms._heap) < 25
    assert alarms.next_time() is None
