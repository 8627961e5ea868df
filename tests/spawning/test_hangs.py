"""Layers of the spawn server that hang while a spawn waits for them."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

import pytest
import pytest_twisted

from passtwist.errors import SpawnError
from passtwist.model import APP, FRAMEWORK, MANAGER, WORKER, SpawnRequest, Step
from passtwist.spawning.hang import holder_of
from passtwist.testing.spawn_servers import come_about

BOTH = ("framework", "app")
TIMEOUT = 8.0  # seconds to start; a quarter of it is how long a layer may be silent


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def end(*workers):
    for worker in workers:
        gone = worker.when_exited()
        worker.terminate()
        await gone


@pytest.mark.parametrize(
    ("route", "layer"), [(("app",), APP), (BOTH, APP), (BOTH, FRAMEWORK)]
)
@pytest_twisted.ensureDeferred
async def test_who_waits_for_a_spawner_that_was_stopped_gets_a_worker_without_it(
    spawn_server, make_spec, route, layer
):
    """It loads the app by itself; the one that hung is ended, the next is new."""
    spec = make_spec(framework_key=("x", "1"), start_timeout=TIMEOUT)
    first = await spawn_server.spawn(SpawnRequest(1, spec, route))
    hung = {each.kind: each.pid for each in spawn_server.spawners()}
    os.kill(hung[layer], signal.SIGSTOP)
    if layer == FRAMEWORK:
        os.kill(hung[APP], signal.SIGKILL)
    second = await spawn_server.spawn(SpawnRequest(2, spec, route))
    assert second.spawn_method == "conservative"
    assert {step.who for step in second.journey} == {MANAGER, WORKER}
    await come_about(lambda: not is_alive(hung[layer]), "the end of what hung")
    third = await spawn_server.spawn(SpawnRequest(3, spec, route))
    assert third.spawn_method == ""
    assert APP in {step.who for step in third.journey}
    assert is_alive(first.pid)
    await end(first, second, third)


@pytest_twisted.ensureDeferred
async def test_who_waits_for_a_manager_that_was_stopped_gets_a_worker_from_the_next(
    spawn_server, make_spec
):
    """The one that hung is ended; workers are not."""
    spec = make_spec(start_timeout=TIMEOUT)
    first = await spawn_server.spawn(SpawnRequest(1, spec, ("app",)))
    hung = spawn_server.manager_pid()
    os.kill(hung, signal.SIGSTOP)
    second = await spawn_server.spawn(SpawnRequest(2, spec, ("app",)))
    assert second.spawn_method == ""
    assert spawn_server.manager_pid() not in (0, hung)
    assert not is_alive(hung)
    assert is_alive(first.pid)
    await end(first, second)


HANGS_IN_FORK = """
import os, threading

def hang():
    if os.path.exists("hang"):
        threading.Event().wait()

os.register_at_fork(after_in_child=hang)

def application(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]
"""


@pytest_twisted.ensureDeferred
async def test_a_fork_handler_that_hangs_costs_no_request(
    spawn_server, make_spec, tmp_path
):
    """Nothing of the fork is left."""
    spec = make_spec(HANGS_IN_FORK, start_timeout=TIMEOUT)
    first = await spawn_server.spawn(SpawnRequest(1, spec, ("app",)))
    (spawner,) = spawn_server.spawners()
    (tmp_path / "app" / "hang").touch()
    second = await spawn_server.spawn(SpawnRequest(2, spec, ("app",)))
    assert second.spawn_method == "conservative"
    await come_about(
        lambda: processes_of_session(spawner.pid) == [], "the end of the fork"
    )
    await end(first, second)


def processes_of_session(session):
    """Pids of the processes in it."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getsid(int(name)) == session and is_alive(int(name)):
                found.append(int(name))
        except ProcessLookupError:
            continue
    return found


@pytest_twisted.ensureDeferred
async def test_an_app_that_hangs_while_it_loads_has_all_of_start_timeout(
    spawn_server, make_spec
):
    """That is the app's own time: nobody tries it in another way meanwhile."""
    spec = make_spec("import threading; threading.Event().wait()", start_timeout=3.0)
    with pytest.raises(SpawnError) as caught:
        await spawn_server.spawn(SpawnRequest(1, spec, ("app",)))
    assert caught.value.category == "timeout"
    assert [step.name for step in caught.value.journey if step.state == "failed"] == [
        "load_app"
    ]


@dataclass
class Spawner:
    """As much of one as is asked for here."""

    kind: str
    has_forked: bool
    pid: int = 5
    generation: int = 0

    def is_for(self, request):
        return request.generation == self.generation

    def kill(self):
        raise AssertionError("nobody asked for it")


class Manager:
    pid = 7

    def kill(self):
        raise AssertionError("nobody asked for it")


PROVEN = [Spawner(FRAMEWORK, True), Spawner(APP, True)]
NEW = [Spawner(FRAMEWORK, False), Spawner(APP, False)]
OLD_GENERATION = [Spawner(APP, True, generation=1)]


@pytest.mark.parametrize(
    ("who", "name", "state", "spawners", "holder"),
    [
        (MANAGER, "find_app_spawner", "done", PROVEN, "app spawner 5"),
        (MANAGER, "find_app_spawner", "done", NEW, None),
        (MANAGER, "find_app_spawner", "done", [], None),
        (MANAGER, "find_app_spawner", "done", OLD_GENERATION, None),
        (MANAGER, "find_app_spawner", "begun", PROVEN, None),
        (MANAGER, "find_framework_spawner", "done", PROVEN, "framework spawner 5"),
        (MANAGER, "find_framework_spawner", "done", NEW, None),
        (MANAGER, "start_worker_process", "done", PROVEN, None),
        (FRAMEWORK, "start_interpreter", "begun", PROVEN, None),
        (FRAMEWORK, "preload_framework", "begun", PROVEN, None),
        (FRAMEWORK, "find_app_spawner", "begun", PROVEN, "framework spawner 5"),
        (FRAMEWORK, "find_app_spawner", "done", PROVEN, "app spawner 5"),
        (FRAMEWORK, "find_app_spawner", "done", NEW, None),
        (APP, "load_app", "begun", PROVEN, None),
        (APP, "fork_worker", "begun", PROVEN, "app spawner 5"),
        (APP, "fork_worker", "done", PROVEN, "app spawner 5"),
        (APP, "fork_worker", "done", NEW, None),
        (WORKER, "after_fork", "begun", PROVEN, None),
    ],
)
def test_only_a_layer_that_has_nothing_to_load_hangs(
    make_spec, who, name, state, spawners, holder
):
    """One that has forked before, and whose turn it is."""
    request = SpawnRequest(1, make_spec(), BOTH)
    step = Step(who, 4711, name, state, 0.0)
    found = holder_of(step, request, Manager(), spawners)
    assert (found.who if found else None) == holder


def test_a_manager_that_says_nothing_at_all_hangs(make_spec):
    """Unless there is none at the moment."""
    request = SpawnRequest(1, make_spec(), BOTH)
    found = holder_of(None, request, Manager(), PROVEN)
    assert found is not None
    assert (found.who, found.is_spawner) == ("spawn manager 7", False)
    none = Manager()
    none.pid = 0
    assert holder_of(None, request, none, PROVEN) is None
