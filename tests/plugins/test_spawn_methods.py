"""The built-in spawn methods: the routes that they choose, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.logger import LogLevel, capturedLogs
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyClass, verifyObject

from passtwist.api.interfaces import ISpawner, ISpawnMethod, ISpawnToolkit
from passtwist.api.spawners import preview
from passtwist.builtin.auto.plugin import Auto
from passtwist.builtin.conservative.plugin import Conservative
from passtwist.builtin.smart.plugin import Smart
from passtwist.builtin.smart_lv2.plugin import SmartLv2
from passtwist.errors import SpawnError
from passtwist.model import (
    APP_ERROR,
    UNSAFE,
    UNSAFE_FORK,
    WARNING,
    AppSpec,
    Finding,
    SpawnRequest,
)

PLAIN = AppSpec("shop", "/srv/shop")
DJANGO = replace(PLAIN, framework="django", framework_key=("ann", "/py", "django"))
LONELY = replace(PLAIN, framework="django")
REQUEST = SpawnRequest(7, PLAIN, generation=3)
RETIRE = "retire shop from 3 to 3"
NO_LAYER = "plain WSGI has no framework layer, so smart is smart-lv2"
NO_DJANGO = (
    "no django that other apps could share was found for this app's interpreter, so "
    "smart is smart-lv2"
)
ALONE = (
    "no other app has used this django yet, so a framework spawner would save "
    "nothing, and smart is smart-lv2"
)
FOUND = (
    Finding("random:numpy", "numpy's random state is copied", WARNING),
    Finding("thread:sentry", "thread sentry runs", UNSAFE, "/srv/shop/log.py:3"),
    Finding("socket:127.0.0.1:6379", "a connection to 127.0.0.1:6379 is open"),
)
FIRST = (
    "not smart, as a fork would not be safe: thread sentry runs (made at "
    '/srv/shop/log.py:3; allowed by fork_allow = ["thread:sentry"])'
)
REASON = f"{FIRST}; and 1 more, see passtwist doctor /srv/shop"


@implementer(ISpawnToolkit)
class Toolkit:
    """Notes what is asked of it; each spawn is a Deferred for the test to fire."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.spawns: list[Deferred[object]] = []

    def spawn(self, request):
        self.asked.append(request)
        self.spawns.append(Deferred())
        return self.spawns[-1]

    def retire(self, app, below=None, since=None):
        assert below is not None
        self.asked.append(f"retire {app} from {since} to {below - 1}")

    def routes(self) -> list[object]:
        """What was asked for since the last time, spawns by their routes."""
        asked, self.asked = self.asked, []
        return [getattr(one, "route", one) for one in asked]


verifyClass(ISpawnToolkit, Toolkit)


def outcome(deferred: Deferred[object]) -> list[object]:
    """The list into which the result comes, or the failure's error."""
    found: list[object] = []
    deferred.addCallbacks(found.append, lambda failure: found.append(failure.value))
    return found


@pytest.mark.parametrize(
    ("method", "app", "in_effect", "route", "reason"),
    [
        (Conservative(), PLAIN, "conservative", (), ""),
        (Conservative(), DJANGO, "conservative", (), ""),
        (SmartLv2(), PLAIN, "smart-lv2", ("app",), ""),
        (SmartLv2(), DJANGO, "smart-lv2", ("app",), ""),
        (Smart(), DJANGO, "smart", ("framework", "app"), ""),
        (Smart(), PLAIN, "smart-lv2", ("app",), NO_LAYER),
        (Smart(), LONELY, "smart-lv2", ("app",), NO_DJANGO),
        (Auto(), DJANGO, "smart-lv2", ("app",), ALONE),
        (Auto(), PLAIN, "smart-lv2", ("app",), NO_LAYER),
    ],
)
def test_a_method_chooses_a_route(method, app, in_effect, route, reason):
    """It fills in the route and passes everything else on as it is."""
    toolkit = Toolkit()
    spawner = method.create_spawner(app, toolkit)
    assert toolkit.asked == []
    worker = object()
    ended = outcome(spawner.spawn(REQUEST))
    assert toolkit.asked == [replace(REQUEST, route=route)]
    toolkit.spawns[0].callback(worker)
    assert ended == [worker]
    assert (spawner.method, spawner.reason) == (in_effect, reason)


def test_auto_has_a_framework_spawner_made_for_a_second_app():
    """The first goes on as it began, its next generation joins the others."""
    toolkit = Toolkit()

    def spawner(name, **changes):
        return Auto().create_spawner(replace(DJANGO, name=name, **changes), toolkit)

    first, again = spawner("one"), spawner("one")
    assert (first.method, first.reason) == ("smart-lv2", ALONE)
    assert again.method == "smart-lv2", "another generation is no other app"
    other = spawner("two", framework_key=("ann", "/other", "django"))
    assert other.method == "smart-lv2"
    second = spawner("three")
    assert (second.method, second.reason) == ("smart", "")
    assert (first.method, spawner("one").method) == ("smart-lv2", "smart")
    outcome(first.spawn(REQUEST))
    outcome(second.spawn(REQUEST))
    assert toolkit.routes() == [("app",), ("framework", "app")]


@pytest.mark.parametrize(
    ("method", "in_effect"),
    [(Smart(), "smart"), (SmartLv2(), "smart-lv2"), (Conservative(), "smart-lv2")],
)
def test_auto_shares_with_any_app_that_has_a_framework_spawner(method, in_effect):
    """Until that app is gone."""
    toolkit = Toolkit()
    spawner = method.create_spawner(replace(DJANGO, name="other"), toolkit)
    assert Auto().create_spawner(DJANGO, toolkit).method == in_effect
    spawner.stop()
    assert Auto().create_spawner(DJANGO, toolkit).method == "smart-lv2"
    assert Auto().create_spawner(DJANGO, Toolkit()).method == "smart-lv2"


@pytest.mark.parametrize("method", [Conservative(), Smart(), SmartLv2(), Auto()])
def test_methods_and_spawners_keep_the_promises_of_their_interfaces(method):
    """As the registry checks of every plugin's."""
    assert verifyObject(ISpawnMethod, method)
    assert verifyObject(ISpawner, preview(method, PLAIN))


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        (Conservative(), []),
        (Smart(), [RETIRE]),
        (SmartLv2(), [RETIRE]),
        (Auto(), [RETIRE]),
    ],
)
def test_stopping_lets_go_of_app_spawners(method, asked):
    """Where there can be any; those of other generations are another's."""
    toolkit = Toolkit()
    spawner = method.create_spawner(PLAIN, toolkit)
    spawner.stop()
    assert toolkit.asked == []
    outcome(spawner.spawn(REQUEST))
    spawner.stop()
    assert toolkit.asked[1:] == asked


def unsafe(found=FOUND) -> Failure:
    error = SpawnError(UNSAFE_FORK, "app shop can't be forked", findings=found)
    return Failure(error)


def test_auto_falls_back_to_conservative():
    """One clear line, then every spawn is conservative until the app is replaced."""
    toolkit = Toolkit()
    spawner = Auto().create_spawner(DJANGO, toolkit)
    first, second = outcome(spawner.spawn(REQUEST)), outcome(spawner.spawn(REQUEST))
    assert toolkit.routes() == [("app",)] * 2
    with capturedLogs() as logs:
        toolkit.spawns[0].errback(unsafe())
        toolkit.spawns[1].errback(unsafe())
    # The app spawner is of no more use.
    assert toolkit.routes() == [RETIRE, (), ()]
    assert (spawner.method, spawner.reason) == ("conservative", REASON)
    [line] = logs
    assert (line["log_level"], line["app"], line["reason"]) == (
        LogLevel.warn,
        "shop",
        REASON,
    )
    toolkit.spawns[2].callback("one")
    toolkit.spawns[3].callback("two")
    assert (first, second) == (["one"], ["two"])
    outcome(spawner.spawn(REQUEST))
    assert toolkit.routes() == [()]
    spawner.stop()
    outcome(spawner.spawn(REQUEST))
    assert toolkit.routes() == [RETIRE, ("app",)]
    assert (spawner.method, spawner.reason) == ("smart-lv2", ALONE)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (FOUND[:2], FIRST),
        ((), "not smart, as a fork would not be safe: app shop can't be forked"),
    ],
)
def test_auto_says_what_was_found_in_one_line(found, reason):
    """Without a finding the summary has to do."""
    toolkit = Toolkit()
    spawner = Auto().create_spawner(DJANGO, toolkit)
    outcome(spawner.spawn(REQUEST))
    with capturedLogs():
        toolkit.spawns[0].errback(unsafe(found))
    assert spawner.reason == reason


@pytest.mark.parametrize(
    "error", [SpawnError(APP_ERROR, "app shop: no module"), CancelledError()]
)
def test_auto_passes_other_failures_on(error):
    """An app that can't be loaded can't be loaded conservatively either."""
    toolkit = Toolkit()
    spawner = Auto().create_spawner(DJANGO, toolkit)
    ended = outcome(spawner.spawn(REQUEST))
    toolkit.spawns[0].errback(Failure(error))
    assert ended == [error]
    assert toolkit.routes() == [("app",)]
    assert (spawner.method, spawner.reason) == ("smart-lv2", ALONE)


def test_cancelling_reaches_the_spawn_under_way():
    """Also the second one, after the fall-back."""
    toolkit = Toolkit()
    spawning = Auto().create_spawner(DJANGO, toolkit).spawn(REQUEST)
    ended = outcome(spawning)
    with capturedLogs():
        toolkit.spawns[0].errback(unsafe())
    spawning.cancel()
    assert isinstance(ended[0], CancelledError)
    assert toolkit.spawns[1].called


def test_a_conservative_spawn_that_fails_after_the_fall_back():
    """Its failure is the spawn's; nothing is tried a third time."""
    toolkit = Toolkit()
    ended = outcome(Auto().create_spawner(DJANGO, toolkit).spawn(REQUEST))
    error = SpawnError(APP_ERROR, "app shop: no module")
    with capturedLogs():
        toolkit.spawns[0].errback(unsafe())
    toolkit.spawns[1].errback(Failure(error))
    assert ended == [error]
    assert len(toolkit.spawns) == 2


def test_a_preview_can_not_spawn():
    """It is there to be asked what it would do."""
    spawner = preview(Smart(), DJANGO)
    assert spawner.method == "smart"
    with pytest.raises(AssertionError, match="spawns nothing"):
        spawner.spawn(REQUEST)
    with pytest.raises(AssertionError, match="retires nothing"):
        spawner.stop()


def test_a_toolkit_that_fails_at_once():
    """A Deferred that has already failed is no special case."""

    class Failing(Toolkit):
        def spawn(self, request):
            super().spawn(request)
            return fail(unsafe()) if request.route else Deferred()

    toolkit = Failing()
    with capturedLogs() as logs:
        outcome(Auto().create_spawner(DJANGO, toolkit).spawn(REQUEST))
    assert toolkit.routes() == [("app",), RETIRE, ()]
    assert len(logs) == 1
