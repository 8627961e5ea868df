"""Each state of an app and of a worker, and what leads from one to the next.

By real processes, as `status` shows it.  Every cell of the tables in
docs/explanation/pool-algorithm.md that changes what is shown has its test here;
tests/pool/test_transitions.py takes all of them with the pure pool.

app          event                                becomes      test
-----------  -----------------------------------  -----------  ----
stopped      spawn began                          starting     test_a_life
stopped      worker ready                         ready        test_a_disabled_worker
stopped      worker ready, failure not made good  degraded     test_old_code_alone
stopped      last worker left, in back-off        backing-off  test_crashes_in_a_row
starting     last spawn cancelled                 stopped      test_a_spawn_called_off
starting     spawn failed                         backing-off  test_failing_for_long
starting     worker ready                         ready        test_a_life
starting     worker ready, restart under way      restarting   test_old_code_comes_back
starting     worker ready, failure not made good  degraded     test_old_code_that_grows
starting     last worker left, in back-off        backing-off  test_crashes_in_a_row
ready        spawn failed                         degraded     test_growth_that_fails
ready        restart began                        restarting   test_a_failed_restart
ready        last worker left                     stopped      test_a_life
ready        last worker left, spawn under way    starting     test_a_death_amid_growth
ready        last worker left, in back-off        backing-off  test_crashes_in_a_row
restarting   spawn failed                         degraded     test_failure_amid_restart
restarting   restart finished                     ready        test_a_failed_restart
restarting   restart failed                       degraded     test_a_failed_restart
restarting   last worker left                     stopped      test_nobody_is_left
restarting   last worker left, spawn under way    starting     test_old_code_comes_back
restarting   last worker left, in back-off        backing-off  test_crashes_in_a_row
degraded     worker ready                         ready        test_growth_that_fails
degraded     worker ready, restart under way      restarting   test_failure_amid_restart
degraded     restart began                        restarting   test_a_failed_restart
degraded     last worker left                     stopped      test_old_code_alone
degraded     last worker left, spawn under way    starting     test_old_code_that_grows
degraded     last worker left, in back-off        backing-off  test_back_off_in_restart
backing-off  spawn began                          starting     test_one_of_two_fails
backing-off  worker ready                         ready        test_failing_for_long
backing-off  worker ready, restart under way      restarting   test_back_off_in_restart
backing-off  worker ready, failure not made good  degraded     test_back_off_in_restart
backing-off  back-off ended                       stopped      test_one_failure

worker     event                becomes    test
---------  -------------------  ---------  ----
starting   became ready         idle       test_a_start_in_steps
starting   spawn failed         gone       test_one_failure
starting   dismissed            stopping   test_a_spawn_called_off
starting   cut off              stopping   test_told_to_stop_twice
idle       first session began  busy       test_a_disabled_worker
idle       turned off           disabled   test_a_disabled_worker
idle       dismissed            stopping   test_a_life
idle       cut off              stopping   test_unreachable_workers
idle       exited               gone       test_a_killed_worker
busy       last session ended   idle       test_a_life
busy       turned off           disabling  test_a_disabled_worker
busy       dismissed            draining   test_a_worker_that_drains
busy       cut off              stopping   test_unreachable_workers
busy       exited               gone       test_a_killed_worker
disabling  last session ended   disabled   test_a_disabled_worker
disabling  turned on            busy       test_a_disabled_worker
disabling  dismissed            draining   test_a_disabled_one_leaves
disabling  cut off              stopping   test_unreachable_workers
disabling  exited               gone       test_a_killed_worker
disabled   turned on            idle       test_a_disabled_worker
disabled   dismissed            stopping   test_a_disabled_one_leaves
disabled   cut off              stopping   test_unreachable_workers
disabled   exited               gone       test_a_killed_worker
draining   last session ended   stopping   test_a_worker_that_drains
draining   cut off              stopping   test_a_drain_that_lasts
draining   exited               gone       test_a_killed_worker
stopping   spawn failed         gone       test_a_spawn_called_off
stopping   exited               gone       test_a_life

A worker that is *disabling* is shown as busy and one that is *disabled* as idle,
both as not enabled.  Who is killed, or called off while it starts, is *stopping*
only for as long as the system takes to end a process: no status can be relied on
to see that, so those tests see what was before and what came of it.  The same goes
for crashes in a row: whether the end of a worker's connection or of its process is
noticed first decides what its app was before, so one test stands for all of them.
"""

from __future__ import annotations

import os
import re
import signal

import pytest

from passtwist.pool.states import APP_TRANSITIONS, WORKER_TRANSITIONS
from passtwist.testing.server import CUT_OFF
from passtwist.testing.waiting import wait_until
from tests.integration.admin import ask
from tests.integration.sites import serve
from tests.integration.stages import Stage, status_of

LIVES = ("idle", "busy", "disabling", "disabled")
ENDS = (*LIVES, "draining", "stopping")
# Apps that do not meet; each is one test's own.
NONE = {"min_instances": 0}
TWO_AT_ONCE = {"spawn_concurrency": 2}
STAGES = {
    "life": NONE,
    "steps": {**NONE, "health_check": "/wait?gate=health"},
    "drains": NONE,
    "lasts": {**NONE, "drain_time": "200ms"},
    "disabled": NONE,
    "leaves": NONE,
    "called-off": NONE,
    "one-failure": NONE,
    "one-of-two": {**NONE, **TWO_AT_ONCE},
    "growth-fails": {},
    "growth-goes-on": {},
    "restart-fails": {},
    "nobody": NONE,
    "comes-back": {},
    "amid-restart": {"min_instances": 2},
    "alone": NONE,
    "alone-grows": {},
    "fails-for-long": {"min_instances": 2, "prestart": True, **TWO_AT_ONCE},
    "back-off": TWO_AT_ONCE,
    "crashes": {**NONE, "spawn_method": "smart-lv2"},
    **{f"killed-{state}": NONE for state in ENDS},
    **{f"lost-{state}": NONE for state in LIVES},
}
# After so many failures a back-off is 4.8 to 6.4 s long: long enough to be seen.
MANY = 7


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """All of STAGES by name, on one server."""
    folder = tmp_path_factory.mktemp("stages")
    found = {name: Stage(folder, name, **keys) for name, keys in STAGES.items()}
    fail_from(found["fails-for-long"], 2)
    limits = {"max_pool_size": 100, "shutdown_timeout": "2s"}
    with serve(folder, *found.values(), **limits) as server:
        for stage in found.values():
            stage.server = server
        fail_amid_a_restart(found["back-off"])
        yield found
        for stage in found.values():
            stage.end()


def fail_from(stage, number):
    """From that load on none succeeds."""
    stage.mark(f"free-from-{number}")
    stage.mark(f"fail-from-{number}")


def fail_amid_a_restart(stage):
    """Begin what takes a while before the test comes to it.

    A disabled worker, one that is busy, two spawns for two who wait, and a restart
    that awaits its first worker; one of the two spawns fails, and so do all those
    that are tried in its place.
    """
    stage.hire(1)
    stage.order("disable", "idle")
    stage.load(2)
    stage.becomes("ready", "idle 0 disabled", "idle 0")
    stage.clients = [stage.begin("a"), stage.ask(), stage.ask()]
    stage.wait_for_notes("loading 3", "loading 4")
    stage.restart()
    stage.wait_for_notes("loading 5")
    fail_from(stage, 6)
    stage.fail(3)


def bring(stage, state):
    """Have one worker, in that state; the client of its request, if it has one."""
    if state in ("idle", "disabled", "stopping"):
        stage.hire(1)
        client = None
    else:
        client = stage.occupy(1, "a")
    orders = {
        "disabled": ("disable", "idle"),
        "stopping": ("detach", "idle"),
        "disabling": ("disable", "busy"),
        "draining": ("detach", "busy"),
    }
    if state in orders:
        stage.order(*orders[state])
    stage.becomes(*SHOWN_AS[state])
    return client


SHOWN_AS = {
    "idle": ("ready", "idle 0"),
    "busy": ("ready", "busy 0"),
    "disabled": ("stopped", "idle 0 disabled"),
    "disabling": ("stopped", "busy 0 disabled"),
    "draining": ("stopped", "draining 0"),
    "stopping": ("stopped", "stopping 0"),
}


# --- workers ----------------------------------------------------------------------


def test_a_life(stages):
    """From the first request until the last worker has left."""
    stage = stages["life"]
    stage.mark("lingers")
    stage.becomes("stopped")
    client = stage.ask("/wait?gate=a")
    stage.becomes("starting", "starting 0", queue=1)
    pid = wait_until(lambda: stage.pid("starting"), "the pid of the one that starts")
    (worker,) = stage.becomes("starting", "starting 0", queue=1)
    assert (worker["pid"], worker["spawn_seconds"]) == (pid, None)
    stage.load(1)
    (worker,) = stage.becomes("ready", "busy 0")
    (request,) = worker["current"]
    assert (request["method"], request["path"]) == ("GET", "/life/wait?gate=a")
    assert 0 <= request["seconds"] <= worker["uptime_s"]
    assert (worker["pid"], worker["spawn_seconds"] > 0) == (pid, True)
    stage.open_gate("a")
    assert status_of(client) == 200
    (worker,) = stage.becomes("ready", "idle 0")
    assert (worker["pid"], worker["requests"]) == (pid, 1)
    stage.order("detach", "idle")
    (worker,) = stage.becomes("stopped", "stopping 0")
    assert (worker["pid"], worker["requests"]) == (pid, 1)
    stage.open_gate("leave")
    stage.becomes("stopped")


def test_a_start_in_steps(stages):
    """It is loaded, says that it is well, and only then is idle."""
    stage = stages["steps"]
    client = stage.ask()
    stage.load(1)
    stage.wait_for_notes("begun health")
    (worker,) = stage.becomes("starting", "starting 0", queue=1)
    os.kill(worker["pid"], 0)
    client.close()
    stage.becomes("starting", "starting 0")
    stage.open_gate("health")
    (well,) = stage.becomes("ready", "idle 0")
    assert (well["pid"], well["requests"]) == (worker["pid"], 0)


def test_a_worker_that_drains(stages):
    """It shows the request that it still has, and that it has none."""
    stage = stages["drains"]
    stage.mark("lingers")
    client = stage.occupy(1, "a")
    stage.order("detach", "busy")
    (worker,) = stage.becomes("stopped", "draining 0")
    (request,) = worker["current"]
    assert (request["path"], worker["sessions"]) == ("/drains/wait?gate=a", 1)
    stage.open_gate("a")
    assert status_of(client) == 200
    (worker,) = stage.becomes("stopped", "stopping 0")
    assert (worker["current"], worker["requests"]) == ([], 1)
    stage.open_gate("leave")
    stage.becomes("stopped")


def test_a_drain_that_lasts(stages):
    """Longer than drain_time: it is killed."""
    stage = stages["lasts"]
    client = stage.occupy(1, "a")
    stage.order("detach", "busy")
    stage.becomes("stopped")
    assert status_of(client) == 502
    log = stage.server.wait_for_log("left after drain_time")
    assert re.search(r"killing worker \d+ of lasts: 1 request\(s\) left", log)


def test_a_disabled_worker(stages):
    """It is there, and counts nowhere, until it is enabled."""
    stage = stages["disabled"]
    stage.hire(1)
    stage.order("disable", "idle")
    stage.becomes("stopped", "idle 0 disabled")
    stage.order("enable", "idle")
    stage.becomes("ready", "idle 0")
    client = stage.begin("a")
    stage.becomes("ready", "busy 0")
    stage.order("disable", "busy")
    (worker,) = stage.becomes("stopped", "busy 0 disabled")
    assert len(worker["current"]) == 1
    stage.order("enable", "busy")
    stage.becomes("ready", "busy 0")
    stage.order("disable", "busy")
    stage.open_gate("a")
    assert status_of(client) == 200
    stage.becomes("stopped", "idle 0 disabled")


def test_a_disabled_one_leaves(stages):
    """As any other, at once or when its request has ended."""
    stage = stages["leaves"]
    stage.mark("lingers")
    client = stage.occupy(1, "a")
    stage.order("disable", "busy")
    stage.order("detach", "busy")
    stage.becomes("stopped", "draining 0")
    stage.hire(2)
    stage.order("disable", "idle")
    stage.becomes("stopped", "draining 0", "idle 0 disabled")
    stage.order("detach", "idle")
    stage.becomes("stopped", "draining 0", "stopping 0")
    stage.open_gate("leave")
    stage.becomes("stopped", "draining 0")
    stage.open_gate("a")
    assert status_of(client) == 200
    stage.becomes("stopped")


@pytest.mark.parametrize("state", ENDS)
def test_a_killed_worker(stages, state):
    """Whatever it was at, it is not shown any more."""
    stage = stages[f"killed-{state}"]
    stage.mark("lingers")
    client = bring(stage, state)
    _, shown = SHOWN_AS[state]
    stage.kill(shown.split()[0])
    stage.becomes("stopped")
    assert client is None or status_of(client) == 502


def test_unreachable_workers(stages):
    """They live on and listen to nobody: they are shown until they have left."""
    lost = {state: stages[f"lost-{state}"] for state in LIVES}
    clients = []
    for state, stage in lost.items():
        stage.mark("hangs-up")
        stage.mark("lingers")
        clients.append(bring(stage, state))
    for stage in lost.values():
        stage.open_gate("hang-up")
    for stage in lost.values():
        (worker,) = stage.becomes("stopped", "stopping 0")
        os.kill(worker["pid"], 0)
        stage.open_gate("a")
    for stage in lost.values():
        stage.wait_for_notes("leaving 1")
        stage.open_gate("leave")
        stage.becomes("stopped")
    assert [status_of(one) for one in clients if one is not None] == [502, 502]


def test_told_to_stop_twice(tmp_path):
    """The first time a spawn that somebody waits for goes on; not the second."""
    stage = Stage(tmp_path, "starting")
    with serve(tmp_path, stage) as stage.server:
        client = stage.ask()
        stage.wait_for_notes("loading 1")
        stage.server.process.send_signal(signal.SIGTERM)
        stage.server.wait_for_log("asked to stop: finishing what runs")
        stage.becomes("starting", "starting 0", queue=1)
        stage.server.process.send_signal(signal.SIGTERM)
        assert stage.server.wait_for_exit() == CUT_OFF
        client.close()


# --- apps -------------------------------------------------------------------------


def test_a_spawn_called_off(stages):
    """Nobody waits for it any more, and its code may be old."""
    stage = stages["called-off"]
    client = stage.ask()
    stage.wait_for_notes("loading 1")
    stage.becomes("starting", "starting 0", queue=1)
    client.close()
    stage.becomes("starting", "starting 0")
    stage.restart()
    stage.becomes("stopped", generation=1)


def test_one_failure(stages):
    """Who waited is told; without a minimum it is not tried again until asked for."""
    stage = stages["one-failure"]
    client = stage.ask()
    stage.fail(1)
    assert status_of(client) == 500
    stage.becomes("stopped", error="load 1 fails")
    stage.hire(2)
    stage.becomes("ready", "idle 0")


def test_one_of_two_fails(stages):
    """When its back-off is over, the other one is still starting."""
    stage = stages["one-of-two"]
    clients = [stage.ask(), stage.ask()]
    stage.wait_for_notes("loading 1", "loading 2")
    stage.becomes("starting", "starting 0", "starting 0", queue=2)
    stage.fail(1)
    assert [status_of(client) for client in clients] == [500, 500]
    stage.becomes("starting", "starting 0", error="load 1 fails")
    stage.load(2)
    stage.becomes("ready", "idle 0")


def test_growth_that_fails(stages):
    """The one that serves goes on, until a spawn succeeds."""
    stage = stages["growth-fails"]
    first = stage.occupy(1, "a")
    second = stage.ask()
    stage.becomes("ready", "busy 0", "starting 0", queue=1)
    stage.fail(2)
    stage.wait_for_notes("loading 3")
    stage.becomes("degraded", "busy 0", "starting 0", queue=1, error="load 2 fails")
    stage.load(3)
    assert status_of(second) == 200
    stage.becomes("ready", "busy 0", "idle 0")
    stage.open_gate("a")
    assert status_of(first) == 200


def test_a_death_amid_growth(stages):
    """Who waits goes on waiting, for the one that starts."""
    stage = stages["growth-goes-on"]
    first = stage.occupy(1, "a")
    second = stage.ask()
    stage.becomes("ready", "busy 0", "starting 0", queue=1)
    stage.kill("busy")
    stage.becomes("starting", "starting 0", queue=1)
    assert status_of(first) == 502
    stage.load(2)
    assert status_of(second) == 200
    stage.becomes("ready", "idle 0")


def test_a_failed_restart(stages):
    """The old code goes on, and status says why, until other code is ready."""
    stage = stages["restart-fails"]
    stage.hire(1)
    stage.restart()
    stage.becomes("restarting", "idle 0", "starting 1")
    stage.fail(2)
    stage.becomes("degraded", "idle 0", error="load 2 fails")
    stage.restart()
    stage.becomes("restarting", "idle 0", "starting 2", error="load 2 fails")
    stage.load(3)
    stage.becomes("ready", "idle 2", generation=2)


def test_nobody_is_left(stages):
    """Amid a restart, and nobody is missed: it is over."""
    stage = stages["nobody"]
    stage.hire(1)
    stage.restart()
    stage.wait_for_notes("loading 2")
    stage.becomes("restarting", "idle 0", "starting 1")
    stage.kill("idle")
    stage.becomes("stopped", generation=1)


def test_old_code_comes_back(stages):
    """Amid a restart the last one dies while one more of the old is starting."""
    stage = stages["comes-back"]
    first = stage.occupy(1, "a")
    stage.restart()
    stage.wait_for_notes("loading 2")
    second = stage.ask()
    stage.wait_for_notes("loading 3")
    stage.becomes("restarting", "busy 0", "starting 1", "starting 0", queue=1)
    stage.kill("busy")
    stage.becomes("starting", "starting 1", "starting 0", queue=1)
    assert status_of(first) == 502
    stage.load(3)
    assert status_of(second) == 200
    stage.becomes("restarting", "starting 1", "idle 0")
    stage.load(2)
    stage.becomes("ready", "idle 1", generation=1)


def test_failure_amid_restart(stages):
    """One more of the old fails; the new code is ready, and the restart goes on."""
    stage = stages["amid-restart"]
    clients = [stage.occupy(1, "a")]
    stage.load(2)
    stage.becomes("ready", "busy 0", "idle 0")
    clients.append(stage.begin("b"))
    stage.restart()
    stage.wait_for_notes("loading 3")
    clients.append(stage.ask())
    stage.fail(4)
    stage.wait_for_notes("loading 5")
    four = ("busy 0", "busy 0", "starting 1", "starting 0")
    stage.becomes("degraded", *four, queue=1, error="load 4 fails")
    stage.load(3)
    stage.wait_for_notes("loading 6")
    four = ("draining 0", "busy 0", "idle 1", "starting 1")
    stage.becomes("restarting", *four, generation=1)
    _, page = ask(stage.server, "restarts?app=amid-restart&after=0")
    assert (page["state"], page["replaced"], page["left"]) == ("restarting", 1, 1)
    stage.load(6)
    four = ("draining 0", "draining 0", "idle 1", "idle 1")
    stage.becomes("ready", *four, generation=1)
    stage.open_gate("a")
    stage.open_gate("b")
    assert [status_of(client) for client in clients] == [200, 200, 200]
    stage.becomes("ready", "idle 1", "idle 1", generation=1)


def test_old_code_alone(stages):
    """What failed is not made good by anybody who comes back with the old code."""
    stage = stages["alone"]
    clients = [stage.occupy(1, "a"), stage.occupy(2, "b")]
    stage.open_gate("a")
    stage.becomes("ready", "idle 0", "busy 0")
    stage.order("disable", "idle")
    stage.open_gate("b")
    assert [status_of(client) for client in clients] == [200, 200]
    stage.becomes("ready", "idle 0 disabled", "idle 0")
    stage.restart()
    stage.fail(3)
    disabled, serving = stage.becomes(
        "degraded", "idle 0 disabled", "idle 0", error="load 3 fails"
    )
    os.kill(serving["pid"], signal.SIGKILL)
    stage.becomes("stopped", "idle 0 disabled", error="load 3 fails")
    stage.order("enable", "idle")
    (enabled,) = stage.becomes("degraded", "idle 0", error="load 3 fails")
    assert enabled["pid"] == disabled["pid"]


def test_old_code_that_grows(stages):
    """Nor by one that is started with it."""
    stage = stages["alone-grows"]
    stage.hire(1)
    stage.restart()
    stage.fail(2)
    stage.becomes("degraded", "idle 0", error="load 2 fails")
    first, second = stage.begin("a"), stage.ask()
    stage.wait_for_notes("loading 3")
    two = ("busy 0", "starting 0")
    stage.becomes("degraded", *two, queue=1, error="load 2 fails")
    stage.kill("busy")
    stage.becomes("starting", "starting 0", queue=1, error="load 2 fails")
    assert status_of(first) == 502
    stage.load(3)
    assert status_of(second) == 200
    stage.becomes("degraded", "idle 0", error="load 2 fails")


# --- apps that have failed for long -------------------------------------------------


def test_failing_for_long(stages):
    """It waits before it tries again, unless one that it began before is ready."""
    stage = stages["fails-for-long"]
    stage.wait_for_notes(f"loading {MANY + 1}")
    stage.becomes("backing-off", "starting 0", error=r"load \d+ fails")
    (stage.root / "fail-from-2").unlink()
    stage.load(1)
    stage.becomes("ready", "idle 0", "idle 0")


def test_back_off_in_restart(stages):
    """The last one that serves dies in it; who waits is not kept waiting."""
    stage = stages["back-off"]
    stage.wait_for_notes(f"loading {5 + MANY - 1}")
    begun, *waiting = stage.clients
    error = r"load \d+ fails"
    starting = ("starting 0", "starting 1")
    four = ("idle 0 disabled", "busy 0", *starting)
    stage.becomes("degraded", *four, queue=2, error=error)
    stage.kill("busy")
    stage.becomes("backing-off", "idle 0 disabled", *starting, error=error)
    stage.order("enable", "idle")
    stage.becomes("degraded", "idle 0", *starting, error=error)
    stage.order("disable", "idle")
    stage.becomes("backing-off", "idle 0 disabled", *starting, error=error)
    stage.load(4)
    stage.becomes("restarting", "idle 0 disabled", "idle 0", "starting 1")
    stage.load(5)
    stage.becomes("ready", "idle 1", generation=1)
    assert status_of(begun) == 502
    assert [status_of(client) for client in waiting] == [503, 503]


def test_crashes_in_a_row(stages):
    """It waits before it tries again; who asks meanwhile is refused at once."""
    stage = stages["crashes"]
    stage.mark("free-from-1")
    answers = set()

    def waits():
        answers.add(status_of(stage.ask("/crash")))
        return 503 in answers and stage.truth()["state"] == "backing-off"

    wait_until(waits, "the app to back off")
    assert answers == {502, 503}
    stage.server.wait_for_log("workers of crashes crash before they answer anything")
    stage.becomes("stopped")
    assert status_of(stage.ask()) == 200
    stage.becomes("ready", "idle 0")


# --- the table at the top -----------------------------------------------------------


def visible(table):
    """State, event and what follows, of each cell that changes what is shown."""
    return {
        (state.value, event.value, after.value)
        for state, row in table.items()
        for event, after in row.items()
        if after is not state
    }


def test_the_table_at_the_top():
    """It has all transitions, and a test of this module for each."""
    rows = [re.split("  +", line) for line in __doc__.splitlines()]
    rows = [row for row in rows if row[-1].startswith("test_")]
    cells = {(state, event, after) for state, event, after, _ in rows}
    assert cells == visible(APP_TRANSITIONS) | visible(WORKER_TRANSITIONS)
    assert [row[3] for row in rows if not callable(globals().get(row[3]))] == []
    assert len(rows) == len(cells)
