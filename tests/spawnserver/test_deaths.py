"""What lives on, and what does not, when a process is killed."""

from __future__ import annotations

import os
import signal

import pytest

from passtwist.model import APP, FRAMEWORK, WORKER, ExitStatus
from tests.spawnserver.driver import (
    descriptors_of,
    is_alive,
    kill,
    make_app,
    reap,
    until,
)

KILLED = ExitStatus(signal=signal.SIGKILL)
BOTH = ("framework", "app")


def test_workers_outlive_the_whole_spawn_server_and_a_new_manager_spawns(driver, hello):
    """Kill the manager: spawners follow it, workers serve on, the next one works."""
    spawn = driver.spawn(hello, BOTH)
    worker = spawn.ready()
    kill(driver.manager)
    assert reap(driver.manager) == KILLED
    # The framework spawner is our child by now; so is the app spawner after it.
    assert reap(spawn.pid(FRAMEWORK)) == ExitStatus(code=0)
    assert reap(spawn.pid(APP)) == ExitStatus(code=0)
    assert spawn.connect().get() == f"hello from {worker}"
    driver.replace_manager()
    again = driver.spawn(hello, BOTH)
    other = again.ready()
    assert again.connect().get() == f"hello from {other}"


@pytest.mark.parametrize("layer", [FRAMEWORK, APP])
def test_a_spawner_that_is_killed_is_replaced_and_its_workers_live_on(
    driver, hello, layer
):
    """The layer above reports it, and makes another for the next spawn."""
    first = driver.spawn(hello, BOTH)
    worker = first.ready()
    victim = first.pid(layer)
    kill(victim)
    notice = driver.notice()
    assert (notice.kind, dict(notice.body)) == (
        "spawner_exited",
        {
            "kind": layer,
            "pid": victim,
            "app": "hello" if layer == APP else "",
            "code": None,
            "signal": signal.SIGKILL,
        },
    )
    second = driver.spawn(hello, BOTH)
    second.ready()
    assert second.pid(layer) != victim
    assert first.connect().get() == f"hello from {worker}"


@pytest.mark.parametrize("route", [(), ("app",)], ids=["exec", "forked"])
def test_the_controller_sees_how_a_worker_ended(driver, hello, route):
    """Whatever happened to the layers between: the worker is its child."""
    worker = driver.spawn(hello, route).ready()
    kill(worker)
    assert reap(worker) == KILLED


SPIN = """
import signal
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
while True:
    pass
"""


@pytest.mark.parametrize(
    ("route", "layer"), [((), WORKER), (("app",), APP), (BOTH, APP)], ids=str
)
def test_closing_a_lifeline_ends_a_process_that_spins_in_load(
    driver, tmp_path, route, layer
):
    """Even with every signal ignored."""
    spawn = driver.spawn(make_app(tmp_path / "spin", SPIN), route)
    spawn.wait_for_step("load_app")
    pid = spawn.pid(layer)
    spawn.cut(layer)
    until(lambda: not is_alive(pid), "the end of the spinning process")
    spawn.wait()
    assert spawn.steps("failed") == []


SPIN_IN_REQUEST = """
def app(environ, start_response):
    while True:
        pass
"""


def test_closing_a_lifeline_ends_a_worker_that_spins_in_a_request(driver, tmp_path):
    """And its connection ends, so the controller knows."""
    spawn = driver.spawn(make_app(tmp_path / "spin", SPIN_IN_REQUEST), ("app",))
    worker = spawn.ready()
    session = spawn.connect()
    session.ask(number=77)
    until(lambda: spawn.scoreboard[0] == 77, "the request's number")
    spawn.cut(WORKER)
    assert reap(worker) == KILLED
    assert session.read_frames() == []


def test_a_lifeline_that_was_closed_too_early_still_ends_the_process(driver, hello):
    """The controller may die between sending a spawn and the fork."""
    spawn = driver.spawn(hello)
    spawn.cut(WORKER)
    spawn.wait()
    until(lambda: no_children_but(driver.manager), "the end of the worker")


def no_children_but(pid):
    """Reap; whether *pid* is the only child left."""
    while os.waitpid(-1, os.WNOHANG)[0]:
        pass
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="utf-8") as file:
        return file.read().split() == [str(pid)]


def test_a_connect_to_a_dead_worker_is_refused(driver, hello):
    """No layer keeps a copy of its listener."""
    spawn = driver.spawn(hello, BOTH)
    worker = spawn.ready()
    kill(worker)
    reap(worker)
    with pytest.raises(ConnectionRefusedError):
        spawn.connect()


def settled_descriptors(pids):
    """What they have open, read twice: a worker is ready before its spawner is done."""
    seen = [None]

    def is_the_same():
        seen.append([sorted(descriptors_of(pid)) for pid in pids])
        return seen[-1] == seen[-2]

    until(is_the_same, "no change of open descriptors")
    return seen[-1]


def test_fifty_spawns_leave_no_descriptor_in_any_layer(driver, hello):
    """Nor in the workers: each has its own and nothing else."""
    first = driver.spawn(hello, BOTH)
    first.ready()
    layers = (driver.manager, first.pid(FRAMEWORK), first.pid(APP))
    before = settled_descriptors(layers)
    spawns = [driver.spawn(hello, BOTH) for _ in range(50)]
    workers = [spawn.ready() for spawn in spawns]
    assert settled_descriptors(layers) == before
    last = descriptors_of(workers[-1])
    kinds = sorted(target.partition(":")[0] for target in last.values())
    # Standard streams, lifeline, stacks, listener, and mmap's own of the scoreboard.
    assert kinds == ["/dev/null", "/memfd", "pipe", "pipe", "pipe", "pipe", "socket"]


def test_retired_app_spawners_end_and_the_framework_spawner_stays(driver, hello):
    """Its workers stay, too."""
    spawn = driver.spawn(hello, BOTH)
    worker = spawn.ready()
    driver.tell("retire", app="hello")
    assert driver.notice().body["pid"] == spawn.pid(APP)
    again = driver.spawn(hello, BOTH)
    again.ready()
    assert (again.started(), is_alive(worker)) == ([APP, WORKER], True)


def test_only_older_generations_are_retired_when_one_is_named(driver, hello):
    """After a rolling restart the new generation's spawner must stay."""
    old = driver.spawn(hello, ("app",), generation=1)
    new = driver.spawn(hello, ("app",), generation=2)
    old.ready()
    new.ready()
    driver.tell("retire", app="hello", below=2)
    assert driver.notice().body["pid"] == old.pid(APP)
    again = driver.spawn(hello, ("app",), generation=2)
    again.ready()
    assert again.started() == [WORKER]


def test_a_retired_spawner_that_does_not_listen_is_killed(driver, tmp_path):
    """It has time to end; one that hangs in load does not take it."""
    spawn = driver.spawn(make_app(tmp_path / "spin", SPIN), ("app",))
    spawn.wait_for_step("load_app")
    driver.tell("retire", app="spin")
    assert driver.notice().body == {
        "kind": APP,
        "pid": spawn.pid(APP),
        "app": "spin",
        "code": None,
        "signal": signal.SIGKILL,
    }
