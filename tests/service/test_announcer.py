"""What the log says of workers."""

from __future__ import annotations

import pytest
from twisted.logger import formatEvent, globalLogPublisher

from passtwist.model import ExitStatus


@pytest.fixture
def said():
    """The announcer's lines."""
    lines = []

    def observe(event):
        if event.get("log_namespace", "").endswith(".Announcer"):
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


def test_a_worker_that_dies_is_named_by_its_pid(make_world, said):
    """In all that is said of its death."""
    world = make_world()
    world.ask()
    worker, (served,) = world.spawned()
    served.read_request()
    said.clear()
    worker.exit(ExitStatus(signal=11))
    world.reactor.settle()
    assert [line for line in said if line.startswith("worker ")] == [
        "worker 4711 of app was killed by signal SIGSEGV (11), which nobody asked for",
        "worker 4711 of app died with 1 request(s) in it",
    ]
