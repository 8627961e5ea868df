"""A controller that runs out of descriptors, at any point of a spawn."""

from __future__ import annotations

import gc
import os
import resource
from contextlib import contextmanager

import pytest
import pytest_twisted

from passtwist.errors import SpawnError
from passtwist.model import SYSTEM, SpawnRequest
from passtwist.testing.spawn_servers import come_about

ENOUGH = 60


def count():
    """How many descriptors are open."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


@contextmanager
def room_for(descriptors):
    """Only so many more can be opened."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = {int(name) for name in os.listdir("/proc/self/fd")}
    free = [number for number in range(1024) if number not in used]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[descriptors], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("route", [(), ("app",)])
@pytest_twisted.ensureDeferred
async def test_a_spawn_for_which_there_are_not_enough_fails_and_keeps_none(
    spawn_server, make_spec, route
):
    """With one more of them each time, until one succeeds."""
    spec = make_spec()
    before = count()
    failed = []
    for room in range(ENOUGH):
        with room_for(room):
            spawning = spawn_server.spawn(SpawnRequest(room + 1, spec, route))
        try:
            worker = await spawning
        except SpawnError as error:
            failed.append((error.category, count()))
        else:
            gone = worker.when_exited()
            worker.terminate()
            await gone
            break
    assert failed == [(SYSTEM, before)] * room
    assert room > 10


@pytest_twisted.ensureDeferred
async def test_a_manager_for_which_there_are_not_enough_is_not_started_and_keeps_none(
    spawn_server,
):
    """It can be tried again."""
    manager = spawn_server.manager
    await manager.stop()
    before = count()
    refused = []
    for room in range(ENOUGH):
        try:
            with room_for(room):
                manager.start()
        except OSError:
            refused.append(count())
        else:
            break
    assert refused == [before] * room
    assert room > 5
    assert manager.pid


@pytest.mark.parametrize("route", [(), ("app",)])
@pytest_twisted.ensureDeferred
async def test_a_process_that_cannot_be_prepared_does_not_become_a_second_manager(
    spawn_server, make_spec, route
):
    """Two of them would share one channel and take each other's messages."""
    pid = spawn_server.manager_pid()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    # Too few to put a handshake out of the way of what exec places.
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (100, hard))
    with pytest.raises(SpawnError):
        await spawn_server.spawn(SpawnRequest(1, make_spec(), route))
    mark = spawn_server.socket_path(1).replace("sockets/w1", "code")
    await come_about(lambda: processes_with(mark) == [pid], "one manager")


def processes_with(mark):
    """Pids of the processes whose command line has *mark* in it."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                if os.fsencode(mark) in file.read():
                    found.append(int(name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
