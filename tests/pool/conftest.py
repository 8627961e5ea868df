"""A pool to talk to, and a simulated world for it.

`Scene` is for tests that read as a dialogue: tell the pool something, assert
all that it orders.  `World` answers the pool's orders by itself, with chance
from a seeded generator, for walks of many events.  Both check all invariants
after everything that happens.
"""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from passtwist.model import Limits, WorkerId
from passtwist.pool import (
    Action,
    Announce,
    AppAdded,
    ConfigChanged,
    Event,
    GrantSession,
    KillWorker,
    MemorySampled,
    Notice,
    Pool,
    PoolLimits,
    RejectCheckout,
    RestartRequested,
    SpawnFailed,
    StartSpawn,
    StopWorker,
    TimePassed,
    WakeAt,
    WorkerExited,
    WorkerReady,
)
from passtwist.pool.invariants import check

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class Scene:
    """A pool, its clock, and what it said.

    :ivar orders: the last actions, without announcements and wake-up calls.
    :ivar notices: all announcements so far.
    :ivar wakes: all wake-up calls so far, as pairs of app and time.
    """

    def __init__(self, **limits: float) -> None:
        self.pool = Pool(PoolLimits(**limits))
        self.now = 0.0
        self.orders: list[Action] = []
        self.notices: list[Notice] = []
        self.wakes: list[tuple[str | None, float]] = []

    def add(self, app: str, **limits: float) -> list[Action]:
        return self.tell(AppAdded(app, Limits(**limits)))

    def tell(self, event: Event) -> list[Action]:
        return self._note(self.pool.handle(event, self.now))

    def ask(self, ticket: Hashable, app: str = "shop") -> WorkerId | None:
        worker = self.pool.checkout(app, ticket, self.now)
        self._note(self.pool.take_actions())
        return worker

    def end(self, worker: int, begun: Hashable | None = None) -> Hashable | None:
        ticket = self.pool.end_session(WorkerId(worker), self.now, begun)
        self._note(self.pool.take_actions())
        return ticket

    def cancel(self, ticket: Hashable, app: str = "shop") -> list[Action]:
        self.pool.cancel(app, ticket, self.now)
        return self._note(self.pool.take_actions())

    def ready(self, worker: int, concurrency: int = 1) -> list[Action]:
        return self.tell(WorkerReady(WorkerId(worker), concurrency))

    def restart(self, app: str = "shop", reason: str = "deployed") -> list[Action]:
        return self.tell(RestartRequested(app, reason))

    def fail(self, worker: int, error: object = "boom") -> list[Action]:
        return self.tell(SpawnFailed(WorkerId(worker), error, 0.0))

    def exit(self, worker: int) -> list[Action]:
        return self.tell(WorkerExited(WorkerId(worker)))

    def wait(self, seconds: float) -> list[Action]:
        """Let time pass, and ring as the pool asked for it, in order."""
        end = self.now + seconds
        orders: list[Action] = []
        while (due := self.pool.next_wake()) is not None and due <= end:
            self.now = max(self.now, due)
            orders += self.tell(TimePassed())
        self.now = end
        return orders + self.tell(TimePassed())

    def hire(self, app: str, workers: int, concurrency: int = 1) -> list[WorkerId]:
        """Have so many idle workers of *app*, by asking for that much."""
        tickets = [(app, "hire", n) for n in range(workers * concurrency)]
        given = [self.pool.checkout(app, ticket, self.now) for ticket in tickets]
        orders = self.pool.take_actions()
        while orders:
            order = orders.pop(0)
            if isinstance(order, StartSpawn):
                ready = WorkerReady(order.worker, concurrency)
                orders += self.pool.handle(ready, self.now)
            elif isinstance(order, GrantSession):
                given.append(order.worker)
        used = [worker for worker in given if worker is not None]
        assert len(used) == len(tickets), "there was no room for so many workers"
        for worker in used:
            self.end(worker)
        return sorted(set(used))

    def states(self, app: str = "shop") -> dict[int, str]:
        """The states of an app's workers."""
        views = {view.name: view for view in self.pool.view().apps}
        return {worker.id: worker.state.value for worker in views[app].workers}

    def app_state(self, app: str = "shop") -> str:
        return {view.name: view.state for view in self.pool.view().apps}[app]

    def _note(self, actions: list[Action]) -> list[Action]:
        check(self.pool, self.now)
        self.orders = []
        for action in actions:
            if isinstance(action, Announce):
                self.notices.append(action.notice)
            elif isinstance(action, WakeAt):
                self.wakes.append((action.app, action.time))
            else:
                self.orders.append(action)
        return self.orders


class World:
    """Does what the pool orders, sooner or later, well or badly.

    :ivar waiting: tickets without an answer, each with its app.
    :ivar serving: sessions under way: ticket to worker.
    :ivar answers: what became of each ticket: granted, rejected, cancelled.
    :ivar spawns: how many were ordered.
    """

    def __init__(self, pool: Pool, seed: int = 0) -> None:
        self.pool = pool
        self.chance = random.Random(seed)
        self.now = 0.0
        self.limits: dict[str, Limits] = {}
        self.spawning: dict[WorkerId, str] = {}
        self.cancelled: set[WorkerId] = set()
        self.exited: set[WorkerId] = set()
        self.alive: dict[WorkerId, str] = {}
        self.leaving: set[WorkerId] = set()
        self.waiting: dict[Hashable, str] = {}
        self.serving: dict[Hashable, WorkerId] = {}
        self.answers: dict[Hashable, str] = {}
        self.spawns = 0
        self.notices: list[Notice] = []

    # --- what the world does ---------------------------------------------------

    def add_app(self, app: str, limits: Limits) -> None:
        self.limits[app] = limits
        self.tell(AppAdded(app, limits))

    def ask(self, app: str, ticket: Hashable) -> None:
        assert ticket not in self.answers
        self.waiting[ticket] = app
        worker = self.pool.checkout(app, ticket, self.now)
        if worker is not None:
            self._granted(ticket, worker)
        self._drain()

    def finish(self, ticket: Hashable) -> None:
        worker = self.serving.pop(ticket)
        # It may have begun with one of those who wait, as workers do that were
        # sent a request ahead.
        known = list(islice(self.pool.followers_for(worker), 3))
        begun = self.chance.choice([*known, None])
        follower = self.pool.end_session(worker, self.now, begun)
        if begun is not None:
            assert follower == begun
        if follower is not None:
            self._granted(follower, worker)
        self._drain()

    def cancel(self, ticket: Hashable) -> None:
        app = self.waiting.pop(ticket)
        self.answers[ticket] = "cancelled"
        self.pool.cancel(app, ticket, self.now)
        self._drain()

    def become_ready(self, worker: WorkerId) -> None:
        app = self.spawning.pop(worker)
        if worker not in self.exited:
            self.alive[worker] = app
        if worker in self.cancelled and worker in self.alive:
            self.leaving.add(worker)
        chance = self.chance.random()
        self.tell(WorkerReady(worker, self.limits[app].concurrency, chance))

    def fail_spawn(self, worker: WorkerId) -> None:
        del self.spawning[worker]
        chance = self.chance.random()
        self.tell(SpawnFailed(worker, f"no {worker}", chance, chance < 0.3))

    def sample_memory(self, worker: WorkerId, size: int) -> None:
        self.tell(MemorySampled({worker: size}))

    def change_limits(self, app: str, limits: Limits) -> None:
        """In place; how many threads a worker has is its spawn's business."""
        concurrency = self.limits[app].concurrency
        self.limits[app] = replace(limits, concurrency=concurrency)
        self.tell(ConfigChanged(app, self.limits[app]))

    def exit_early(self, worker: WorkerId) -> None:
        """The process ends while the service still gets it ready."""
        self.exited.add(worker)
        self.tell(WorkerExited(worker))

    def die(self, worker: WorkerId) -> None:
        """The process ends; the service hears of it, then of its sessions."""
        del self.alive[worker]
        self.leaving.discard(worker)
        self.tell(WorkerExited(worker, innocent=self.chance.random() < 0.3))
        for ticket in [t for t, w in self.serving.items() if w == worker]:
            self.finish(ticket)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.tell(TimePassed())

    def tell(self, event: Event) -> None:
        self._perform(self.pool.handle(event, self.now))
        check(self.pool, self.now)

    # --- what the pool orders --------------------------------------------------

    def _drain(self) -> None:
        if self.pool.outbox:
            self._perform(self.pool.take_actions())
        check(self.pool, self.now)

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, StartSpawn):
                assert action.app in self.limits
                assert action.worker not in self.spawning | self.alive
                self.spawning[action.worker] = action.app
                self.spawns += 1
            elif isinstance(action, GrantSession):
                assert action.worker in self.alive
                self._granted(action.ticket, action.worker)
            elif isinstance(action, RejectCheckout):
                assert self.waiting.pop(action.ticket) == action.app
                self.answers[action.ticket] = "rejected"
            elif isinstance(action, StopWorker):
                assert action.worker in self.alive
                assert action.worker not in self.serving.values()
                self.leaving.add(action.worker)
            elif isinstance(action, KillWorker):
                assert action.worker in self.alive | self.spawning
                self._kill(action.worker)
            elif isinstance(action, WakeAt):
                assert action.time >= self.now
            elif isinstance(action, Announce):
                self.notices.append(action.notice)

    def _kill(self, worker: WorkerId) -> None:
        if worker in self.spawning:
            self.cancelled.add(worker)
        else:
            self.leaving.add(worker)

    def _granted(self, ticket: Hashable, worker: WorkerId) -> None:
        app = self.waiting.pop(ticket)
        assert self.alive[worker] == app, "a worker serves its own app only"
        self.serving[ticket] = worker
        self.answers[ticket] = "granted"
        mine = sum(busy == worker for busy in self.serving.values())
        assert mine <= self.limits[app].concurrency, "a full worker got a session"


@pytest.fixture
def make_scene() -> Callable[..., Scene]:
    return Scene


@pytest.fixture
def make_world() -> Callable[..., World]:
    return World
