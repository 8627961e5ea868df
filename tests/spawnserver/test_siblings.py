"""Workers forked together: whatever they draw, each draws its own."""

from __future__ import annotations

import importlib.util
import json
import sys

import pytest

from tests.spawnserver.driver import make_app

# Each source is used before the fork, so that there is a state to be copied.
DRAWS = """
import json, random, secrets, ssl, sys, uuid

SOURCES = {
    "random": random.random,
    "secrets": secrets.token_hex,
    "system": random.SystemRandom().random,
    "tls": lambda: ssl.RAND_bytes(16).hex(),
    "uuid4": lambda: str(uuid.uuid4()),
    # With the same number in all of them, time alone would tell them apart.
    "sequence of uuid1": lambda: [uuid.uuid1().clock_seq for _ in range(20)],
}
if hasattr(uuid, "uuid7"):
    SOURCES["uuid7"] = lambda: str(uuid.uuid7())
if "NUMPY" in %r:
    import numpy.random
    SOURCES["numpy"] = numpy.random.random

for draw in SOURCES.values():
    draw()


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    drawn = {name: [draw() for _ in range(3)] for name, draw in SOURCES.items()}
    return [json.dumps(drawn).encode()]
"""
ROUTES = [("app",), ("framework", "app")]


def draw_in_siblings(driver, app, route):
    """What each of three workers draws, by source."""
    spawns = [driver.spawn(app, route) for _ in range(3)]
    drawn = []
    for spawn in spawns:
        spawn.ready()
        drawn.append(json.loads(spawn.connect().get()))
    return {name: [one[name] for one in drawn] for name in drawn[0]}


def all_differ(values):
    """Whether no two workers have drawn the same."""
    return len({json.dumps(value) for value in values}) == len(values)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_siblings_draw_their_own(driver, tmp_path, python, route):
    """From `random`, the system, TLS, and each kind of UUID that has a state."""
    app = make_app(tmp_path / "site", DRAWS % "", python=python)
    drawn = draw_in_siblings(driver, app, route)
    same = [name for name, values in drawn.items() if not all_differ(values)]
    assert same == []
    assert {"random", "secrets", "tls", "uuid4", "sequence of uuid1"} <= drawn.keys()


def test_siblings_draw_their_own_from_numpy(driver, tmp_path):
    """Its global state, which it does not seed after a fork by itself."""
    if importlib.util.find_spec("numpy") is None:
        pytest.skip("needs numpy")
    app = make_app(tmp_path / "site", DRAWS % "NUMPY", python=sys.executable)
    assert all_differ(draw_in_siblings(driver, app, ("app",))["numpy"])
