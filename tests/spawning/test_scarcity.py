"""Spawners that run out of what a fork needs."""

from __future__ import annotations

import os
import resource

import pytest
import pytest_twisted

from passtwist.errors import SpawnError
from passtwist.model import SpawnRequest


async def end(*workers):
    for worker in workers:
        gone = worker.when_exited()
        worker.terminate()
        await gone


def descriptors_of(pid):
    return [int(name) for name in os.listdir(f"/proc/{pid}/fd")]


@pytest.mark.parametrize("room", range(6))
@pytest_twisted.ensureDeferred
async def test_a_spawner_without_descriptors_costs_no_spawn(
    spawn_server, make_spec, room
):
    """It forks all the same, or another one is made that has enough."""
    spec = make_spec()
    first = await spawn_server.spawn(SpawnRequest(1, spec, ("app",)))
    (spawner,) = spawn_server.spawners()
    most = max(descriptors_of(spawner.pid)) + 1 + room
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.prlimit(spawner.pid, resource.RLIMIT_NOFILE, (most, hard))
    second = await spawn_server.spawn(SpawnRequest(2, spec, ("app",)))
    third = await spawn_server.spawn(SpawnRequest(3, spec, ("app",)))
    assert len({first.pid, second.pid, third.pid}) == 3
    await end(first, second, third)


@pytest_twisted.ensureDeferred
async def test_a_spawner_without_memory_harms_no_worker(spawn_server, make_spec):
    """The spawn fails with a reason, or another spawner does it."""
    spec = make_spec(start_timeout=8.0)
    first = await spawn_server.spawn(SpawnRequest(1, spec, ("app",)))
    (spawner,) = spawn_server.spawners()
    resource.prlimit(spawner.pid, resource.RLIMIT_AS, (1, 1))
    workers = [first]
    reasons = []
    for number in range(2, 5):
        try:
            workers.append(
                await spawn_server.spawn(SpawnRequest(number, spec, ("app",)))
            )
        except SpawnError as error:
            reasons.append(error.summary)
    assert all("app app: " in reason for reason in reasons)
    assert len(workers) + len(reasons) == 4
    assert os.path.exists(f"/proc/{first.pid}")
    await end(*workers)
