"""`freeze = "immortal"`: what is loaded is never counted, and never freed."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace

import pytest

from passtwist.model import APP, APP_ERROR, FRAMEWORK, WORKER, ExitStatus
from tests.spawnserver.conftest import HELLO
from tests.spawnserver.driver import make_app, reap

BOTH = ("framework", "app")
ROUTES = pytest.mark.parametrize("route", [("app",), BOTH], ids=str)
REFCNT = 0xFFFFFFFF

# What an app has that might mind: constants, classes, closures, generators,
# weak references, a cache, a module that is replaced.
APP_SOURCE = r"""
import atexit
import contextlib
import functools
import gc
import json
import sys
import types
import weakref

class Thing:
    pass

thing = Thing()
seen = []
weak = weakref.ref(thing, seen.append)
table = {"a": [1, 2, {"b": ("x" * 40, 3.25)}]}
running = (each for each in [thing, 1, 2])
next(running)

@functools.lru_cache(maxsize=None)
def squared(number):
    return number * number

@contextlib.contextmanager
def held():
    yield "held"

squared(70000)
atexit.register(print, "left in peace", flush=True)

def counts():
    ratio = 2.5
    (constant,) = [each for each in counts.__code__.co_consts if each == ratio]
    parts = [thing, Thing, table, table["a"], counts, counts.__code__, constant]
    return [sys.getrefcount(each) for each in parts]

def use():
    global thing
    table["a"].append(Thing())
    table["c"] = {"new": 1}
    del table["c"]
    new = Thing()
    freed = weakref.ref(new)
    del new
    thing = None
    gc.collect()
    with held() as word:
        pass
    left = list(running)
    return [freed() is None, weak() is not None, seen, left, word, squared(70000)]

def app(environ, start_response):
    start_response("200 OK", [])
    answer = {"/counts": counts, "/use": use}[environ["PATH_INFO"]]()
    return [json.dumps(answer).encode()]
"""


@pytest.fixture(
    params=[
        pytest.param(version, marks=pytest.mark.interpreter(version))
        for version in ("3.12", "3.13")
    ]
)
def python(request, interpreters):
    """Each interpreter that can do it."""
    major, minor = request.param.split(".")
    return interpreters[int(major), int(minor)]


@ROUTES
def test_what_was_loaded_is_immortal_in_the_workers(driver, tmp_path, python, route):
    """Instances, classes, containers, functions, their code and its constants."""
    app = make_app(tmp_path / "site", APP_SOURCE, python=python, freeze="immortal")
    spawn = driver.spawn(app, route)
    spawn.ready()
    counts = json.loads(spawn.connect().get("/counts"))
    assert counts == [REFCNT] * 7
    assert f"{APP}: freeze" in spawn.steps()


def test_with_gc_alone_it_is_not(driver, tmp_path, python):
    """The counts are what they are without us."""
    app = make_app(tmp_path / "site", APP_SOURCE, python=python)
    spawn = driver.spawn(app, ("app",))
    spawn.ready()
    assert max(json.loads(spawn.connect().get("/counts"))) < 1000


@ROUTES
def test_a_worker_uses_changes_and_drops_what_is_immortal(
    driver, tmp_path, python, route
):
    """New objects are freed as ever; those of the spawner stay, and do no harm."""
    app = make_app(tmp_path / "site", APP_SOURCE, python=python, freeze="immortal")
    for _ in range(2):
        spawn = driver.spawn(app, route)
        spawn.ready()
        session = spawn.connect()
        first = json.loads(session.get("/use"))
        assert first == [True, True, [], [1, 2], "held", 4900000000]
        for number in range(2, 300):
            assert json.loads(session.get("/use", number)) == [
                *first[:3],
                [],
                *first[4:],
            ]


def test_a_worker_with_an_immortal_heap_leaves_in_peace(driver, tmp_path, python):
    """It runs atexit and ends with status 0."""
    app = make_app(tmp_path / "site", APP_SOURCE, python=python, freeze="immortal")
    spawn = driver.spawn(app, BOTH)
    pid = spawn.ready()
    spawn.connect().get("/use")
    os.kill(pid, signal.SIGTERM)
    assert reap(pid) == ExitStatus(code=0)
    spawn.drain()
    assert b"left in peace" in spawn.output[WORKER]


def test_a_fresh_worker_keeps_mortal_objects(driver, tmp_path, python):
    """Nobody shares with it, so it would only lose."""
    app = make_app(tmp_path / "site", APP_SOURCE, python=python, freeze="immortal")
    spawn = driver.spawn(app, ())
    spawn.ready()
    assert max(json.loads(spawn.connect().get("/counts"))) < 1000


def test_apps_with_and_without_it_share_no_framework_spawner(driver, tmp_path, python):
    """In one process an object is mortal or it is not."""
    one = make_app(tmp_path / "one", HELLO, framework_key=("a",), python=python)
    started = []
    for freeze in ("gc", "immortal", "off", "immortal"):
        spawn = driver.spawn(replace(one, freeze=freeze), BOTH)
        spawn.ready()
        started.append(spawn.started())
    assert started == [
        [FRAMEWORK, APP, WORKER],
        [FRAMEWORK, APP, WORKER],
        [APP, WORKER],
        [WORKER],
    ]


OTHERS = [
    pytest.param(version, marks=pytest.mark.interpreter(version))
    for version in ("3.9", "3.10", "3.11", "3.14")
]


@pytest.mark.parametrize("route", [(), ("app",), BOTH], ids=str)
@pytest.mark.parametrize("version", OTHERS)
def test_another_interpreter_refuses_before_it_loads_the_app(
    driver, hello, interpreters, version, route
):
    """With the name of the interpreter and what to do."""
    major, minor = version.split(".")
    python = interpreters[int(major), int(minor)]
    spawn = driver.spawn(replace(hello, python=python, freeze="immortal"), route)
    spawn.wait()
    assert spawn.failure.category == APP_ERROR
    assert (
        'freeze = "immortal" needs CPython 3.12 or 3.13 with a GIL; '
        f'{python} is CPython {version}; use freeze = "gc" or another interpreter'
    ) in spawn.failure.summary
    begun = spawn.steps("begun")
    assert not [step for step in begun if step.endswith(": load_app")]


def test_a_kind_that_nobody_knows_says_which_there_are(driver, hello):
    """A controller of another version may name one."""
    spawn = driver.spawn(replace(hello, freeze="ice"), ("app",))
    spawn.wait()
    assert "freeze = 'ice' is not supported; there are: gc, off, immortal" in (
        spawn.failure.summary
    )
