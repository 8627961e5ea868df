"""How the records of a spawn become its journey."""

from __future__ import annotations

from passtwist.spawning.journey import Journey
from passtwist.wire.journey import BEGUN, DONE, StepRecord


def journey(*records):
    made = Journey()
    for who, pid, step, state, at in records:
        made.add(StepRecord(who, pid, step, state, at))
    return made


def test_a_spawner_that_is_slower_than_its_worker_has_forked_all_the_same():
    """The worker says that it is ready before the spawner says that it forked."""
    made = journey(
        ("app", 5, "fork_worker", BEGUN, 1.0),
        ("worker", 6, "after_fork", BEGUN, 1.25),
        ("worker", 6, "after_fork", DONE, 2.0),
    )
    made.finish(3.0)
    made.add(StepRecord("app", 5, "fork_worker", DONE, 4.0))
    assert made.current() is None
    assert [(step.name, step.state, step.seconds) for step in made.steps()] == [
        ("fork_worker", DONE, 0.25),
        ("after_fork", DONE, 0.75),
    ]


def test_the_last_step_is_done_when_the_worker_is_ready():
    """However it is named: an own server of an app may end none."""
    made = journey(("worker", 6, "start_worker", BEGUN, 1.0))
    made.finish(3.0)
    assert [(step.state, step.seconds) for step in made.steps()] == [(DONE, 2.0)]
