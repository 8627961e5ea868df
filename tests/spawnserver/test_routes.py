"""Every route from a spawn to a worker that answers."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from passtwist.model import APP, FRAMEWORK, WORKER
from passtwist.wire.journey import ReadyRecord
from tests.spawnserver.driver import parent_of

ROUTES = {
    (): [WORKER],
    ("app",): [APP, WORKER],
    ("framework", "app"): [FRAMEWORK, APP, WORKER],
}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: "-".join(route) or "exec")
def test_a_worker_comes_by_each_route_and_answers(driver, hello, route, python):
    """Under each interpreter: started in order, child of the controller, serving."""
    spawn = driver.spawn(replace(hello, python=python), route)
    worker = spawn.ready()
    assert spawn.started() == ROUTES[route]
    assert spawn.only(ReadyRecord) == [ReadyRecord(worker, "session", 1)]
    assert spawn.steps("failed") == []
    assert parent_of(worker) == os.getpid()
    assert spawn.connect().get() == f"hello from {worker}"
