"""A gateway with the real pool behind it, and apps and workers that are played.

Runs in: tests.
"""

from __future__ import annotations

from types import SimpleNamespace

from twisted.internet.defer import Deferred

from passtwist.model import Limits
from passtwist.pool import AppAdded, Pool, PoolLimits
from passtwist.service.driver import Driver
from passtwist.service.sessions.gateway import Gateway

from .conftest import PlainRequest, Recorder


class PlayedApp:
    """Spawns when the test says so."""

    def __init__(self):
        self.settings = SimpleNamespace(health_check="")
        self.last_spawn_error = None
        self.spawns = []
        self.cancelled = 0

    def came_up(self, generation):
        self.last_spawn_error = None

    def spawn_failed(self, generation, error):
        self.last_spawn_error = error

    def spawn(self, number, generation):
        def cancelled(_):
            self.cancelled += 1

        self.spawns.append(Deferred(cancelled))
        return self.spawns[-1]


class PlayedToolkit:
    def __init__(self):
        self.retired = []

    def retire(self, app, below=None, since=None):
        self.retired.append(app)


def no_request(settings):
    raise AssertionError("no health check is set")


class World:
    """A gateway with everything behind it."""

    def __init__(self, reactor, make_worker, **limits):
        self.reactor = reactor
        self.make_worker = make_worker
        self.app = PlayedApp()
        self.toolkit = PlayedToolkit()
        apps = {"app": self.app}
        self.driver = Driver(reactor, reactor.seconds, apps, self.toolkit, no_request)
        self.pool = Pool(PoolLimits(max_pool_size=limits.pop("max_pool_size", 2)))
        self.gateway = Gateway(self.pool, reactor.seconds, self.driver.perform)
        self.driver.gateway = self.gateway
        self.hands = []
        self.gateway.tell(AppAdded("app", Limits(**limits)))

    def ask(self, **fields):
        recorder = Recorder()
        session = self.gateway.submit("app", PlainRequest(**fields), recorder)
        return session, recorder

    def spawned(self, **fields):
        """The oldest spawn under way succeeds."""
        worker = self.make_worker(**fields)
        self.app.spawns.pop(0).callback(worker)
        served = [worker.accept() for _ in range(worker.concurrency)]
        self.reactor.settle()
        return worker, served

    def states(self):
        (app,) = self.pool.view().apps
        return [worker.state.value for worker in app.workers]
