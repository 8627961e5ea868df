"""Apps: what is found in the folder, for each generation anew."""

from __future__ import annotations

import pytest
from zope.interface import implementer

from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import ISpawner, ISpawnMethod
from passtwist.api.plugin_sources import Source
from passtwist.api.registry import Registry
from passtwist.api.settings import for_folders
from passtwist.builtin.wsgi import plugin as wsgi
from passtwist.errors import SpawnError
from passtwist.service.apps import App
from passtwist.testing.apps import OWN_USER
from passtwist.testing.fakes import FakeToolkit


@implementer(ISpawner)
class Spawner:
    """Fits one spec; a test looks which spawner was asked for what."""

    reason = ""

    def __init__(self, spec, toolkit):
        self.method = "noting"
        self.spec = spec
        self.toolkit = toolkit
        self.is_stopped = False

    def spawn(self, request):
        return self.toolkit.spawn(request)

    def stop(self):
        self.is_stopped = True


@implementer(ISpawnMethod)
class Noting:
    name = "noting"
    aliases = ()
    description = "of a test"

    def __init__(self):
        self.spawners = []

    def create_spawner(self, app, toolkit):
        self.spawners.append(Spawner(app, toolkit))
        return self.spawners[-1]


class World:
    def __init__(self, folder):
        self.method = Noting()
        self.toolkit = FakeToolkit()
        self.root = folder / "app"
        keys = {"spawn_method": "noting"}
        if OWN_USER:
            keys["default_user"] = OWN_USER
        settings = for_folders([str(self.root)], keys, environ={})
        self.server = settings.server
        registry = Registry.from_sources(
            [
                Source("wsgi", "test", lambda: wsgi),
                Source("noting", "test", lambda: self),
            ]
        )
        self.app = App(settings.apps[0], settings.server, registry, self.toolkit)

    @hookimpl
    def passtwist_spawn_methods(self):
        return [self.method]

    def release(self, name):
        """A deployment: another folder with the app, and the link to it."""
        folder = self.root.parent / name
        folder.mkdir()
        (folder / "passenger_wsgi.py").write_text("application = print")
        link = self.root.parent / "link"
        link.symlink_to(folder)
        link.rename(self.root)
        return str(folder)

    def spawned(self):
        """Number, generation and root of all that was asked for."""
        return [
            (one.number, one.generation, one.app.root) for one in self.toolkit.requests
        ]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def error_of(deferred):
    found = []
    deferred.addErrback(lambda failure: found.append(failure.value))
    return found[0]


def test_each_generation_gets_what_the_root_leads_to_when_it_begins(world):
    """And keeps it: workers of the old code are started while the new fails."""
    one = world.release("one")
    world.app.spawn(1, 0)
    two = world.release("two")
    world.app.spawn(2, 0)
    world.app.spawn(3, 1)
    three = world.release("three")
    world.app.spawn(4, 1)
    world.app.spawn(5, 0)
    world.app.spawn(6, 2)
    assert world.spawned() == [
        (1, 0, one),
        (2, 0, one),
        (3, 1, two),
        (4, 1, two),
        (5, 0, one),
        (6, 2, three),
    ]
    assert len(world.method.spawners) == 3


def test_an_app_that_is_not_there_is_looked_for_again(world):
    """It may come later."""
    error = error_of(world.app.spawn(1, 0))
    assert isinstance(error, SpawnError)
    assert world.app.spec is None
    one = world.release("one")
    world.app.spawn(2, 0)
    assert world.spawned() == [(2, 0, one)]


def test_code_that_never_came_up_is_looked_for_again(world):
    """Whoever mends it by swapping the link has no reason to restart anything."""
    one = world.release("one")
    world.app.spawn(1, 0)
    world.app.spawn_failed(0, SpawnError("app-error", "no"))
    world.app.spawn(2, 0)
    two = world.release("two")
    world.app.spawn(3, 0)
    world.app.spawn_failed(0, SpawnError("app-error", "no"))
    world.app.spawn(4, 0)
    assert world.spawned() == [(1, 0, one), (2, 0, one), (3, 0, two), (4, 0, two)]
    assert [one.is_stopped for one in world.method.spawners] == [True, False]


def test_code_that_came_up_is_kept_when_a_later_spawn_fails(world):
    """Its workers all run the same."""
    one = world.release("one")
    world.app.spawn(1, 0)
    world.app.came_up(0)
    world.app.spawn_failed(0, SpawnError("app-error", "no"))
    world.release("two")
    world.app.spawn(2, 0)
    assert world.spawned() == [(1, 0, one), (2, 0, one)]


def test_old_generations_are_let_go_when_the_restart_is_done(world):
    """Each by its own spawner; the others go on."""
    for generation in range(3):
        world.release(str(generation))
        world.app.spawn(generation, generation)
    world.app.release(2)
    assert [one.is_stopped for one in world.method.spawners] == [True, True, False]


def test_a_generation_that_did_not_come_up_is_let_go(world):
    """Unless it did: it may be superseded all the same."""
    for generation in range(3):
        world.release(str(generation))
        world.app.spawn(generation, generation)
    world.app.came_up(1)
    for generation in (2, 1, 7):
        world.app.give_up(generation)
    assert [one.is_stopped for one in world.method.spawners] == [False, False, True]


def test_what_is_shown_is_the_code_that_serves(world):
    """Not the newest, before that has had a worker."""
    one = world.release("one")
    world.app.spawn(1, 0)
    assert world.app.spec.root == one
    world.app.came_up(0)
    two = world.release("two")
    world.app.spawn(2, 1)
    assert world.app.spec.root == one
    world.app.came_up(1)
    assert (world.app.spec.root, world.app.spawn_method) == (two, "noting")


def test_a_ready_worker_clears_the_last_error(world):
    world.app.last_spawn_error = SpawnError("system", "no")
    world.app.came_up(0)
    assert world.app.last_spawn_error is None


def test_other_settings_hold_for_the_generations_to_come(world):
    """More workers of the old code are what it was."""
    world.release("one")
    world.app.spawn(1, 0)
    changed = for_folders([str(world.root)], {"threads": 4}, environ={}).apps[0]
    world.app.change(changed, world.server)
    assert world.app.limits.concurrency == 4
    world.app.spawn(2, 0)
    changed = for_folders(
        [str(world.root)], {"threads": 4, "spawn_method": "noting"}, environ={}
    ).apps[0]
    world.app.change(changed, world.server)
    world.app.spawn(3, 1)
    assert [one.app.threads for one in world.toolkit.requests] == [1, 1, 4]


def test_a_removed_app_lets_go_of_all(world):
    for generation in range(2):
        world.release(str(generation))
        world.app.spawn(generation, generation)
    world.app.stop()
    assert [one.is_stopped for one in world.method.spawners] == [True, True]
    assert world.app.spec is None
