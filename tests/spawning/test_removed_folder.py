"""A runtime directory that somebody removes while the server runs."""

from __future__ import annotations

import os
import shutil

import pytest
import pytest_twisted

from passtwist.errors import SpawnError, StartupError
from passtwist.model import SYSTEM, SpawnRequest
from passtwist.spawning.runtime_dir import RuntimeDir


@pytest.fixture
def runtime(tmp_path):
    found = RuntimeDir(str(tmp_path / "run"))
    found.acquire()
    yield found
    found.release()


def test_a_whole_one_is_left_alone(runtime):
    """Which is what each spawn finds."""
    calls = []
    runtime.when_made_anew.append(lambda: calls.append("anew"))
    assert (runtime.restore(), calls) == ([], [])


def test_one_that_is_gone_is_made_anew_and_locked(runtime):
    """Others who have something in it are told."""
    calls = []
    runtime.when_made_anew.append(lambda: calls.append("anew"))
    shutil.rmtree(runtime.path)
    assert runtime.restore() == [str(runtime.path)]
    assert (runtime.restore(), calls) == ([], ["anew"])
    assert {path.name for path in runtime.path.iterdir()} == {"lock", "pid", "sockets"}
    assert runtime.path.stat().st_mode & 0o777 == 0o711
    assert runtime.sockets.stat().st_mode & 0o777 == 0o700
    with pytest.raises(StartupError, match="another passtwist"):
        RuntimeDir(str(runtime.path)).acquire()


def test_the_folder_of_sockets_alone_is_made_anew(runtime):
    shutil.rmtree(runtime.sockets)
    assert runtime.restore() == [str(runtime.sockets)]
    assert runtime.sockets.stat().st_mode & 0o777 == 0o700


def test_one_that_another_server_has_made_anew_is_its_own(runtime):
    """We do without, and remove nothing of it when we stop."""
    shutil.rmtree(runtime.path)
    other = RuntimeDir(str(runtime.path))
    other.acquire()
    with pytest.raises(StartupError, match="another passtwist"):
        runtime.restore()
    runtime.release()
    assert other.sockets.is_dir()
    assert other.restore() == []
    other.release()
    assert not runtime.path.exists()


async def end(worker):
    gone = worker.when_exited()
    worker.terminate()
    await gone


@pytest.mark.parametrize("part", ["", "code", "code/passtwist/wire", "sockets"])
@pytest.mark.parametrize("route", [(), ("app",)])
@pytest_twisted.ensureDeferred
async def test_the_next_spawn_makes_anew_what_was_removed(
    spawn_server, make_spec, route, part
):
    """Workers of before go on, and so does a spawner."""
    spec = make_spec()
    first = await spawn_server.spawn(SpawnRequest(1, spec, route))
    folder = os.path.dirname(os.path.dirname(spawn_server.socket_path(1)))
    shutil.rmtree(os.path.join(folder, part))
    second = await spawn_server.spawn(SpawnRequest(2, spec, route))
    fresh = await spawn_server.spawn(SpawnRequest(3, spec, ()))
    assert os.path.exists(second.socket_path)
    for worker in (first, second, fresh):
        await end(worker)
    assert os.listdir(os.path.dirname(second.socket_path)) == []


@pytest_twisted.ensureDeferred
async def test_one_that_can_not_be_made_anew_fails_the_spawn(spawn_server, make_spec):
    """With its name and the reason."""
    folder = os.path.dirname(os.path.dirname(spawn_server.socket_path(1)))
    shutil.rmtree(folder)
    with open(folder, "w"):
        pass
    with pytest.raises(SpawnError) as caught:
        await spawn_server.spawn(SpawnRequest(1, make_spec(), ()))
    os.unlink(folder)
    assert caught.value.category == SYSTEM
    assert "the runtime directory is gone" in caught.value.summary
    assert folder in caught.value.summary
