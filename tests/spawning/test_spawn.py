"""Spawns through the real spawn manager, from the controller's side."""

from __future__ import annotations

import os

import pytest
import pytest_twisted

from passtwist.errors import SpawnError
from passtwist.model import APP_ERROR, ExitStatus, SpawnRequest
from passtwist.wire.control import Message

ROUTES = [(), ("app",)]


async def end(worker) -> ExitStatus:
    gone = worker.when_exited()
    worker.terminate()
    return await gone


@pytest.mark.parametrize("route", ROUTES)
@pytest_twisted.ensureDeferred
async def test_a_worker_is_our_own_child_and_leaves_when_asked(
    spawn_server, make_spec, route
):
    """Whatever the route, the worker's parent is the controller."""
    worker = await spawn_server.spawn(SpawnRequest(1, make_spec(), route))
    with open(f"/proc/{worker.pid}/stat") as stat:
        parent = int(stat.read().rpartition(")")[2].split()[1])
    assert parent == os.getpid()
    assert os.path.exists(worker.socket_path)
    assert [step.state for step in worker.journey] == ["done"] * len(worker.journey)
    assert await end(worker) == ExitStatus(code=0)
    assert not os.path.exists(worker.socket_path)


@pytest.mark.parametrize("route", ROUTES)
@pytest_twisted.ensureDeferred
async def test_an_app_that_fails_to_import_is_an_app_error(
    spawn_server, make_spec, route
):
    """The error names app, step, process and cause, and has the journey."""
    spec = make_spec("import no_such_module_anywhere")
    with pytest.raises(SpawnError) as caught:
        await spawn_server.spawn(SpawnRequest(1, spec, route))
    error = caught.value
    assert error.category == APP_ERROR
    assert "No module named 'no_such_module_anywhere'" in error.summary
    assert "app" in error.summary
    failed = [step for step in error.journey if step.state == "failed"]
    assert failed[-1].name == "load_app"


@pytest_twisted.ensureDeferred
async def test_a_start_that_takes_too_long_is_ended(spawn_server, make_spec):
    """start_timeout covers everything, and nothing of the spawn is left.

    Each route at the same time, as it is the time that ends them.
    """
    # Enough for a busy machine to come as far as loading the app.
    spec = make_spec("while True: pass", start_timeout=5.0)
    starts = [
        spawn_server.spawn(SpawnRequest(number, spec, route))
        for number, route in enumerate(ROUTES, 1)
    ]
    for start in starts:
        with pytest.raises(SpawnError) as caught:
            await start
        assert caught.value.category == "timeout"
        assert "load_app" in caught.value.summary


@pytest_twisted.ensureDeferred
async def test_a_killed_app_spawner_is_replaced(spawn_server, make_spec):
    """The next spawn works, and the worker of the dead one lives on."""
    spec = make_spec()
    first = await spawn_server.spawn(SpawnRequest(1, spec, ("app",)))
    (spawner,) = spawn_server.spawners()
    os.kill(spawner.pid, 9)
    second = await spawn_server.spawn(SpawnRequest(2, spec, ("app",)))
    (other,) = spawn_server.spawners()
    assert other.pid != spawner.pid
    assert await end(first) == ExitStatus(code=0)
    assert await end(second) == ExitStatus(code=0)


@pytest_twisted.ensureDeferred
async def test_a_killed_manager_is_replaced_and_workers_live_on(
    spawn_server, make_spec
):
    """The interrupted world is set up anew by the next spawn."""
    spec = make_spec()
    first = await spawn_server.spawn(SpawnRequest(1, spec, ("app",)))
    pid = spawn_server.manager_pid()
    os.kill(pid, 9)
    second = await spawn_server.spawn(SpawnRequest(2, spec, ("app",)))
    assert spawn_server.manager_pid() not in (0, pid)
    assert await end(first) == ExitStatus(code=0)
    assert await end(second) == ExitStatus(code=0)


@pytest.mark.parametrize("name", ["pid", "code", "signal"])
@pytest_twisted.ensureDeferred
async def test_a_spawner_that_talks_nonsense_harms_nobody(
    spawn_server, make_spec, name
):
    """A framework spawner is its user's, who may have it say anything."""
    body = {"kind": "app", "pid": 4711, "app": "x", "code": None, "signal": 9}
    # What the manager passes on; no spawner of ours would say it.
    for nonsense in ("nine", [9], {"9": 9}, 9.5, True):
        spawn_server._on_notice(Message("spawner_exited", {**body, name: nonsense}, ()))
    worker = await spawn_server.spawn(SpawnRequest(1, make_spec(), ("app",)))
    assert await end(worker) == ExitStatus(code=0)
