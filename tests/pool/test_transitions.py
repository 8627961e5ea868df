"""Every transition of both tables is taken by a pool that is told what happened.

`test_states` says that the tables are obeyed; this says that each of their cells
can be reached, so that no table names what never comes.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from passtwist.pool import (
    DetachRequested,
    DisableRequested,
    EnableRequested,
    StopRequested,
    WorkerLost,
    upkeep,
)
from passtwist.pool.states import (
    APP_TRANSITIONS,
    WORKER_TRANSITIONS,
    AppState,
    WorkerState,
    next_app_state,
)
from passtwist.pool.worker import Worker

# --- workers ----------------------------------------------------------------------


def hired(scene, workers=1, **limits):
    """An app with idle workers, 1 and so on."""
    scene.add("shop", **limits)
    scene.hire("shop", workers)


def busy(scene, **limits):
    """Worker 1 has a session."""
    hired(scene, **limits)
    scene.ask("t1")


def disable(scene):
    scene.tell(DisableRequested(1))


def detach(scene):
    scene.tell(DetachRequested(1))


# How worker 1 comes to a state.
WORKER_BEFORE = {
    "starting": lambda scene: scene.add("shop", prestart=True),
    "idle": hired,
    "busy": busy,
    "disabling": lambda scene: (busy(scene), disable(scene)),
    "disabled": lambda scene: (hired(scene), disable(scene)),
    "draining": lambda scene: (busy(scene), detach(scene)),
    "stopping": lambda scene: (scene.add("shop", prestart=True), detach(scene)),
}
WORKER_EVENTS = {
    "became ready": lambda scene: scene.ready(1),
    "spawn failed": lambda scene: scene.fail(1),
    "first session began": lambda scene: scene.ask("t"),
    "last session ended": lambda scene: scene.end(1),
    "turned off": disable,
    "turned on": lambda scene: scene.tell(EnableRequested(1)),
    "dismissed": detach,
    "cut off": lambda scene: scene.tell(StopRequested()),
    "exited": lambda scene: scene.exit(1),
}
# What is not shown as what it is; the second says whether it is enabled.
SHOWN_AS = {
    "disabling": ("busy", False),
    "disabled": ("idle", False),
    "gone": None,
}


def cells(table):
    """State, event and the state that follows, by name."""
    return [
        (state.value, event.value, after.value)
        for state, row in table.items()
        for event, after in row.items()
    ]


@pytest.fixture
def of_worker(monkeypatch):
    """The states that worker 1 was in, and what led from each to the next."""
    seen = []
    advance = Worker.advance

    def observed(worker, event):
        before = worker.state
        advance(worker, event)
        if worker.id == 1:
            seen.append((before.value, event.value, worker.state.value))

    monkeypatch.setattr(Worker, "advance", observed)
    return seen


@pytest.mark.parametrize(("state", "event", "after"), cells(WORKER_TRANSITIONS))
def test_a_worker_takes_each_transition(make_scene, of_worker, state, event, after):
    """And what it is in the end is what status says of it."""
    scene = make_scene()
    WORKER_BEFORE[state](scene)
    of_worker.clear()
    WORKER_EVENTS[event](scene)
    assert of_worker == [(state, event, after)]
    views = {one.id: one for one in scene.pool.view().apps[0].workers}
    seen = (views[1].state.value, views[1].enabled) if 1 in views else None
    assert seen == SHOWN_AS.get(after, (after, True))


# --- apps -------------------------------------------------------------------------

# For each cell a dialogue: what leads there, a pause, and what takes it.
DIALOGUES = {}


def dialogue(state, event):
    def register(function):
        assert (state, event) not in DIALOGUES
        DIALOGUES[state, event] = function
        return function

    return register


def grows(scene, **limits):
    """Worker 1 is busy; 2 starts for somebody who waits."""
    busy(scene, **limits)
    scene.ask("t2")


def restarts(scene, **limits):
    """Worker 2 starts in order to take the place of 1."""
    hired(scene, **limits)
    scene.restart()


def restarts_and_grows(scene, **limits):
    """And 3 starts for somebody who waits."""
    restarts(scene, **limits)
    scene.ask("t1")
    scene.ask("t2")


def has_refused_new_code(scene, **limits):
    restarts(scene, **limits)
    scene.fail(2)


def backs_off(scene, **limits):
    """The first spawn failed, and nobody serves."""
    scene.add("shop", min_instances=0, **limits)
    scene.ask("t1")
    scene.ask("t2")
    scene.fail(1)


def backs_off_beside_a_disabled_worker(scene):
    hired(scene, min_instances=0)
    disable(scene)
    scene.ask("t1")
    scene.fail(2)


@dialogue("stopped", "spawn began")
def _(scene):
    scene.add("shop")
    yield
    scene.ask("t1")


@dialogue("stopped", "worker ready")
def _(scene):
    hired(scene, min_instances=0)
    disable(scene)
    yield
    scene.tell(EnableRequested(1))


@dialogue("stopped", "worker ready, failure not made good")
def _(scene):
    backs_off_beside_a_disabled_worker(scene)
    scene.wait(0.2)
    yield
    scene.tell(EnableRequested(1))


@dialogue("starting", "spawn began")
def _(scene):
    scene.add("shop", spawn_concurrency=2)
    scene.ask("t1")
    yield
    scene.ask("t2")


@dialogue("starting", "last spawn cancelled")
def _(scene):
    scene.add("shop", prestart=True)
    yield
    scene.restart()


@dialogue("starting", "spawn failed")
def _(scene):
    scene.add("shop", prestart=True)
    yield
    scene.fail(1)


@dialogue("starting", "worker ready")
def _(scene):
    scene.add("shop", prestart=True)
    yield
    scene.ready(1)


@dialogue("starting", "worker ready, restart under way")
def _(scene):
    restarts_and_grows(scene)
    scene.exit(1)
    yield
    scene.ready(3)


@dialogue("starting", "worker ready, failure not made good")
def _(scene):
    has_refused_new_code(scene)
    scene.exit(1)
    yield
    scene.ready(3)


@dialogue("ready", "spawn began")
def _(scene):
    busy(scene)
    yield
    scene.ask("t2")


@dialogue("ready", "spawn failed")
def _(scene):
    grows(scene)
    yield
    scene.fail(2)


@dialogue("ready", "worker ready")
def _(scene):
    grows(scene)
    yield
    scene.ready(2)


@dialogue("ready", "restart began")
def _(scene):
    hired(scene)
    yield
    scene.restart()


@dialogue("ready", "last worker left")
def _(scene):
    hired(scene, min_instances=0)
    yield
    detach(scene)


@dialogue("ready", "last worker left, spawn under way")
def _(scene):
    grows(scene)
    yield
    scene.exit(1)


@dialogue("restarting", "spawn began")
def _(scene):
    restarts(scene)
    scene.ask("t1")
    yield
    scene.ask("t2")


@dialogue("restarting", "spawn failed")
def _(scene):
    restarts_and_grows(scene)
    yield
    scene.fail(3)


@dialogue("restarting", "worker ready, restart under way")
def _(scene):
    restarts(scene, workers=2)
    yield
    scene.ready(3)


@dialogue("restarting", "restart began")
def _(scene):
    restarts(scene)
    scene.wait(2.0)
    yield
    scene.restart()


@dialogue("restarting", "restart finished")
def _(scene):
    restarts(scene)
    yield
    scene.ready(2)


@dialogue("restarting", "restart failed")
def _(scene):
    restarts(scene)
    yield
    scene.fail(2)


@dialogue("restarting", "last worker left")
def _(scene):
    restarts(scene, min_instances=0)
    yield
    scene.exit(1)


@dialogue("restarting", "last worker left, spawn under way")
def _(scene):
    restarts_and_grows(scene)
    yield
    scene.exit(1)


@dialogue("degraded", "spawn began")
def _(scene):
    grows(scene)
    scene.fail(2)
    yield
    scene.wait(0.2)


@dialogue("degraded", "spawn failed")
def _(scene):
    grows(scene)
    scene.fail(2)
    scene.wait(0.2)
    yield
    scene.fail(3)


@dialogue("degraded", "worker ready")
def _(scene):
    grows(scene)
    scene.fail(2)
    scene.wait(0.2)
    yield
    scene.ready(3)


@dialogue("degraded", "worker ready, restart under way")
def _(scene):
    restarts(scene, workers=2)
    scene.ask("t1")
    scene.ask("t2")
    scene.ask("t3")
    scene.fail(4)
    yield
    scene.ready(3)


@dialogue("degraded", "worker ready, failure not made good")
def _(scene):
    has_refused_new_code(scene)
    scene.ask("t1")
    scene.ask("t2")
    yield
    scene.ready(3)


@dialogue("degraded", "restart began")
def _(scene):
    has_refused_new_code(scene)
    scene.wait(2.0)
    yield
    scene.restart()


@dialogue("degraded", "restart failed")
def _(scene):
    restarts_and_grows(scene)
    scene.fail(3)
    yield
    scene.fail(2)


@dialogue("degraded", "last worker left")
def _(scene):
    has_refused_new_code(scene, min_instances=0)
    yield
    scene.exit(1)


@dialogue("degraded", "last worker left, spawn under way")
def _(scene):
    has_refused_new_code(scene)
    scene.ask("t1")
    scene.ask("t2")
    yield
    scene.exit(1)


def crashes(scene, times):
    """Workers of an app without a minimum die of their first request."""
    for _ in range(times):
        scene.ask(object())
        number = max(scene.states())
        scene.ready(number)
        scene.exit(number)
        scene.now += 0.03


def dies_of_its_request(scene):
    """Worker 4 does, after three others; how it died is to come."""
    scene.add("shop", min_instances=0)
    crashes(scene, 3)
    scene.ask("t")
    scene.ready(4)
    scene.tell(WorkerLost(4))


@dialogue("stopped", "last worker left, in back-off")
def _(scene):
    dies_of_its_request(scene)
    yield
    scene.exit(4)


@dialogue("starting", "last worker left, in back-off")
def _(scene):
    dies_of_its_request(scene)
    scene.ask("t2")
    yield
    scene.exit(4)


@dialogue("ready", "last worker left, in back-off")
def _(scene):
    scene.add("shop", min_instances=0)
    crashes(scene, 3)
    scene.ask("t")
    scene.ready(4)
    yield
    scene.exit(4)


@dialogue("restarting", "last worker left, in back-off")
def _(scene):
    restarts(scene, min_instances=0)
    scene.ask("t1")
    crashes(scene, 4)
    yield
    scene.exit(1)


@dialogue("degraded", "last worker left, in back-off")
def _(scene):
    grows(scene)
    scene.fail(2)
    yield
    scene.exit(1)


@dialogue("backing-off", "spawn began")
def _(scene):
    backs_off(scene, spawn_concurrency=2)
    yield
    scene.wait(0.2)


@dialogue("backing-off", "spawn failed")
def _(scene):
    backs_off(scene, spawn_concurrency=2)
    yield
    scene.fail(2)


@dialogue("backing-off", "worker ready")
def _(scene):
    backs_off(scene, spawn_concurrency=2)
    yield
    scene.ready(2)


@dialogue("backing-off", "worker ready, restart under way")
def _(scene):
    hired(scene, spawn_concurrency=2)
    for ticket in ("t1", "t2", "t3"):
        scene.ask(ticket)
    scene.restart()
    scene.fail(2)
    scene.exit(1)
    yield
    scene.ready(3)


@dialogue("backing-off", "worker ready, failure not made good")
def _(scene):
    backs_off_beside_a_disabled_worker(scene)
    yield
    scene.tell(EnableRequested(1))


@dialogue("backing-off", "back-off ended")
def _(scene):
    backs_off(scene)
    yield
    scene.wait(0.2)


@pytest.fixture
def of_app(monkeypatch):
    """The states that the app was in, and what led from each to the next."""
    seen = []

    def observed(app, state, event):
        after = next_app_state(app, state, event)
        seen.append((state.value, event.value, after.value))
        return after

    monkeypatch.setattr(upkeep, "next_app_state", observed)
    return seen


@pytest.mark.parametrize(("state", "event", "after"), cells(APP_TRANSITIONS))
def test_an_app_takes_each_transition(make_scene, of_app, state, event, after):
    """From the state that the dialogue leads to, as soon as it goes on."""
    scene = make_scene()
    steps = DIALOGUES[state, event](scene)
    next(steps)
    assert scene.app_state() == state
    of_app.clear()
    assert next(steps, "the end") == "the end"
    assert of_app[0] == (state, event, after)
    # Whatever follows at once goes on from there, and the view tells the end of it.
    for (_, _, reached), (left, _, _) in pairwise(of_app):
        assert left == reached
    assert scene.app_state() == of_app[-1][2]


def test_every_state_is_led_to_and_every_dialogue_is_about_a_cell():
    """A cell that goes takes its dialogue along."""
    assert set(DIALOGUES) == {cell[:2] for cell in cells(APP_TRANSITIONS)}
    assert {state for state, _ in DIALOGUES} == {state.value for state in AppState}
    assert {*WORKER_BEFORE, "gone"} == {state.value for state in WorkerState}
