"""Thousands of events in an order that nobody thought of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from passtwist.model import Limits
from passtwist.pool import (
    AppRemoved,
    DetachRequested,
    DisableRequested,
    EnableRequested,
    Pool,
    PoolConfigChanged,
    PoolDrained,
    PoolLimits,
    RequestOverran,
    RestartRequested,
    ShutdownRequested,
    WorkerLost,
)

APPS = {
    "plain": Limits(),
    "keen": Limits(min_instances=2, prestart=True, spawn_concurrency=2),
    "lazy": Limits(min_instances=0, max_instances=2),
    "wide": Limits(min_instances=1, concurrency=4, max_queue_size=5),
    "strict": Limits(max_queue_time=0.5, max_queue_size=0),
    "spare": Limits(min_instances=0, spare_workers=2),
    "brief": Limits(max_requests=3, drain_time=1.0, restart_parallelism=2),
    "fat": Limits(memory_limit=100, hard_memory_limit=200, min_instances=2),
}


def walk(world, steps):
    """So many steps of chance."""
    chance = world.chance
    for step in range(steps):
        kind = chance.random()
        if kind < 0.35:
            world.ask(chance.choice(list(world.limits)), step)
        elif kind < 0.60 and world.serving:
            world.finish(chance.choice(list(world.serving)))
        elif kind < 0.75 and world.spawning:
            worker = chance.choice(list(world.spawning))
            outcome = chance.random()
            if outcome < 0.2:
                world.fail_spawn(worker)
            elif outcome < 0.25:
                world.exit_early(worker)
            else:
                world.become_ready(worker)
        elif kind < 0.85 and world.leaving:
            world.die(chance.choice(list(world.leaving)))
        elif kind < 0.88 and world.waiting:
            world.cancel(chance.choice(list(world.waiting)))
        elif kind < 0.90 and world.alive:
            world.die(chance.choice(list(world.alive)))
        elif kind < 0.91 and world.alive:
            world.tell(WorkerLost(chance.choice(list(world.alive))))
        elif kind < 0.92 and world.alive:
            world.tell(DetachRequested(chance.choice(list(world.alive))))
        elif kind < 0.925 and len(world.limits) > 2:
            remove_and_add(world, chance.choice(list(APPS)))
        elif kind < 0.94:
            world.tell(RestartRequested(chance.choice(list(APPS)), "chance"))
        elif kind < 0.96:
            meddle(world)
        else:
            world.pass_time(chance.expovariate(1 / 0.2))


def meddle(world):
    """What operators and limits do to workers and to each other."""
    chance = world.chance
    kind = chance.random()
    if world.alive and kind < 0.7:
        worker = chance.choice(list(world.alive))
        if kind < 0.2:
            world.tell(DisableRequested(worker))
        elif kind < 0.4:
            world.tell(EnableRequested(worker))
        elif kind < 0.5:
            world.tell(RequestOverran(worker))
        else:
            world.sample_memory(worker, chance.randrange(250))
    elif kind < 0.85:
        other = APPS[chance.choice(list(APPS))]
        world.change_limits(chance.choice(list(APPS)), other)
    else:
        size, spawns = chance.randint(1, 8), chance.randint(1, 3)
        limits = replace(world.pool.limits, max_pool_size=size)
        world.tell(PoolConfigChanged(replace(limits, spawn_concurrency=spawns)))


def remove_and_add(world, app):
    """An app goes, and comes back under the same name at once."""
    world.tell(AppRemoved(app))
    world.add_app(app, APPS[app])


def let_things_go_well(world, rounds=2000):
    """From now on whatever was begun succeeds, until there is nothing to do."""
    for _ in range(rounds):
        if not (world.waiting or world.serving or world.leaving or world.spawning):
            return
        for worker in list(world.spawning):
            world.become_ready(worker)
        for ticket in list(world.serving):
            if ticket in world.serving:
                world.finish(ticket)
        for worker in list(world.leaving):
            world.die(worker)
        world.pass_time(0.3)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("size", [1, 3, 8])
def test_every_ticket_is_granted_rejected_or_cancelled(make_world, seed, size):
    """All invariants hold after every event, and nobody is forgotten."""
    world = make_world(Pool(PoolLimits(max_pool_size=size, spawn_concurrency=3)), seed)
    for app, limits in APPS.items():
        world.add_app(app, limits)
    walk(world, 700)
    let_things_go_well(world)
    assert world.waiting == {}
    assert set(world.answers.values()) == {"granted", "rejected", "cancelled"}


@pytest.mark.parametrize("seed", range(6))
def test_a_shutdown_at_any_time_comes_to_an_end(make_world, seed):
    """After a shutdown request all workers leave, and that is announced once."""
    pool = Pool(PoolLimits(max_pool_size=4))
    world = make_world(pool, seed)
    for app, limits in APPS.items():
        world.add_app(app, replace(limits, max_queue_time=0.0))
    walk(world, 150)
    world.tell(ShutdownRequested())
    let_things_go_well(world)
    assert (world.waiting, world.serving, world.alive) == ({}, {}, {})
    assert world.notices.count(PoolDrained()) == 1


def test_nobody_starves_when_three_apps_that_are_never_idle_share_two_places(
    make_world,
):
    """Each app gets its turn though the others always have more to do."""
    pool = Pool(PoolLimits(max_pool_size=2, fair_turn=1.0))
    world = make_world(pool)
    for app in "abc":
        world.add_app(app, Limits(max_queue_size=0))
    tickets = iter(range(10_000))
    served = dict.fromkeys("abc", 0)
    asked: dict[object, str] = {}
    for _ in range(600):
        for app in "abc":
            if list(world.waiting.values()).count(app) < 5:
                ticket = next(tickets)
                asked[ticket] = app
                world.ask(app, ticket)
        for worker in list(world.spawning):
            world.become_ready(worker)
        for ticket in list(world.serving):
            world.finish(ticket)
            served[asked[ticket]] += 1
        for worker in list(world.leaving):
            world.die(worker)
        world.pass_time(0.1)
    assert min(served.values()) > 200
    # A turn lasts: places are not passed on with every request.
    assert world.spawns < 200
