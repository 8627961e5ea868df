"""Triggers: each watches each app, as the apps are now."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from passtwist.api.interfaces import IRestartableApp, IRestartTrigger
from passtwist.service.triggers import Triggers


@implementer(IRestartTrigger)
class Noting:
    """Notes which apps it watches."""

    description = "of a test"

    def __init__(self, name="noting", fault=""):
        self.name = name
        self.apps = {}
        self.fault = fault

    def watch(self, app, reactor):
        if self.fault == "watch":
            raise RuntimeError("as wished")
        assert verifyObject(IRestartableApp, app)
        self.apps[app.name] = app

        def stop():
            del self.apps[app.name]
            if self.fault == "stop":
                raise RuntimeError("as wished")

        return stop


class World:
    def __init__(self, *triggers):
        self.told = []
        self.apps = {}
        restarts = SimpleNamespace(
            request=lambda app, reason: self.told.append((app, reason)),
            forget=lambda app: self.told.append(("forget", app)),
        )
        gates = SimpleNamespace(
            restart_before_requests=lambda app, reason: self.told.append(
                ("before requests", app, reason)
            )
        )
        self.triggers = Triggers(None, triggers, self.apps, restarts, gates)

    def add(self, name, root="/srv/shop", restart_dir="tmp", environment="production"):
        settings = SimpleNamespace(
            name=name, root=root, restart_dir=restart_dir, environment=environment
        )
        self.apps[name] = SimpleNamespace(settings=settings)


@pytest.fixture
def trigger():
    return Noting()


@pytest.fixture
def world(trigger):
    world = World(trigger)
    world.add("shop")
    world.triggers.update()
    return world


def test_all_apps_are_watched(world, trigger):
    """And told of as they are configured."""
    world.add("blog", "/srv/blog", "run", "development")
    world.triggers.update()
    assert set(trigger.apps) == {"shop", "blog"}
    blog = trigger.apps["blog"]
    assert (blog.root, blog.restart_dir, blog.environment) == (
        "/srv/blog",
        "run",
        "development",
    )


def test_what_a_trigger_asks_for_is_done(world, trigger):
    trigger.apps["shop"].restart("it is Monday")
    trigger.apps["shop"].restart_before_requests("always")
    assert world.told == [
        ("shop", "it is Monday"),
        ("before requests", "shop", "always"),
    ]


def test_an_app_that_has_not_changed_is_left_alone(world, trigger):
    """A trigger that looked for the first time again would miss a change."""
    before = trigger.apps["shop"]
    world.add("shop")
    world.triggers.update()
    assert trigger.apps["shop"] is before


@pytest.mark.parametrize(
    "change",
    [{"root": "/srv/new"}, {"restart_dir": "run"}, {"environment": "development"}],
)
def test_an_app_that_has_changed_is_watched_anew(world, trigger, change):
    """By what it is watched by; requests are not held any more, until told so."""
    before = trigger.apps["shop"]
    world.add("shop", **change)
    world.triggers.update()
    assert trigger.apps["shop"] is not before
    assert world.told == [("before requests", "shop", "")]


def test_an_app_that_is_removed_is_let_go(world, trigger):
    """Whatever a trigger still wants of it."""
    before = trigger.apps["shop"]
    del world.apps["shop"]
    world.triggers.update()
    assert trigger.apps == {}
    world.told.clear()
    before.restart("too late")
    before.restart_before_requests("too late")
    assert world.told == []


def test_at_the_end_nothing_is_watched(world, trigger):
    world.triggers.stop()
    assert trigger.apps == {}


@pytest.mark.parametrize("fault", ["watch", "stop"])
def test_a_trigger_that_raises_is_logged_and_does_not_stop_the_others(
    fault, logged_failures
):
    good, bad = Noting(), Noting("bad", fault)
    world = World(bad, good)
    world.add("shop")
    world.triggers.update()
    assert set(good.apps) == {"shop"}
    world.triggers.stop()
    assert good.apps == {}
    assert len(logged_failures.flush(RuntimeError)) == 1
