"""The transition tables: what is in them follows, all else raises."""

from __future__ import annotations

from itertools import product

import pytest

from passtwist.errors import IllegalTransition
from passtwist.model import Limits
from passtwist.pool import Pool, PoolLimits, WorkerLost
from passtwist.pool.group import Group
from passtwist.pool.states import (
    APP_TRANSITIONS,
    WORKER_TRANSITIONS,
    AppEvent,
    AppState,
    WorkerEvent,
    WorkerState,
    next_app_state,
    next_worker_state,
)
from passtwist.pool.worker import Worker


@pytest.mark.parametrize(("state", "event"), list(product(WorkerState, WorkerEvent)))
def test_a_worker_follows_its_table_and_nothing_else(state, event):
    """A worker's record and the bare function agree on every pair."""
    worker = Worker(7, Group("shop", Limits(), PoolLimits()), 0, 0.0)
    worker.state = state
    follows = WORKER_TRANSITIONS[state].get(event)
    if follows is not None:
        worker.advance(event)
        assert worker.state is next_worker_state(7, state, event) is follows
        return
    for attempt in (worker.advance, lambda e: next_worker_state(7, state, e)):
        with pytest.raises(IllegalTransition) as raised:
            attempt(event)
        assert (raised.value.machine, raised.value.state) == ("worker 7", state)
    assert worker.state is state


@pytest.mark.parametrize(("state", "event"), list(product(AppState, AppEvent)))
def test_an_app_follows_its_table_and_nothing_else(state, event):
    """A pair that is not in the table names app, state and event."""
    follows = APP_TRANSITIONS[state].get(event)
    if follows is not None:
        assert next_app_state("shop", state, event) is follows
        return
    with pytest.raises(IllegalTransition) as raised:
        next_app_state("shop", state, event)
    assert raised.value.event is event
    assert "app shop" in str(raised.value)


@pytest.mark.parametrize(
    ("table", "start", "unreachable"),
    [
        (WORKER_TRANSITIONS, WorkerState.STARTING, set()),
        (APP_TRANSITIONS, AppState.STOPPED, set()),
    ],
)
def test_every_state_can_be_reached(table, start, unreachable):
    """A state that nothing leads to would be a mistake in the table."""
    reached, new = {start}, {start}
    while new:
        new = {after for state in new for after in table[state].values()} - reached
        reached |= new
    assert set(table) - reached == unreachable


@pytest.mark.parametrize("state", list(WorkerState))
def test_a_worker_can_always_end(state):
    """From every state some way leads to `GONE`."""
    reached = {state}
    for _ in WorkerState:
        for known in list(reached):
            reached |= set(WORKER_TRANSITIONS[known].values())
    assert WorkerState.GONE in reached


def test_what_cannot_happen_to_a_worker_raises_and_changes_nothing(make_scene):
    """Reports about workers that nobody started, or that have no session."""
    scene = make_scene()
    scene.add("shop")
    (worker,) = scene.hire("shop", 1)
    before = scene.pool.view()
    for attempt in (
        lambda: scene.end(worker),
        lambda: scene.ready(worker),
        lambda: scene.fail(worker),
        lambda: scene.ready(99),
        lambda: scene.fail(99),
        lambda: scene.exit(99),
        lambda: scene.tell(WorkerLost(99)),
    ):
        with pytest.raises(IllegalTransition):
            attempt()
    assert scene.pool.view() == before
    assert scene.pool.take_actions() == []


def test_a_pool_without_room_is_refused():
    """A pool that could never start a worker is a mistake of who made it."""
    for wrong in ({"max_pool_size": 0}, {"spawn_concurrency": 0}):
        with pytest.raises(ValueError, match="at least one worker"):
            Pool(PoolLimits(**wrong))
