"""The world around the pool: requests, processes, and what becomes of both.

Does what the pool orders, sooner or later, well or badly, and tells the pool
what came of it; as `passtwist.service` does with real ones.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from benchmarks.simulation.agenda import Agenda
from benchmarks.simulation.ledger import CUT, LEFT, SERVED, Ledger
from benchmarks.simulation.spawns import Spawns
from benchmarks.simulation.traffic import source
from passtwist.pool import (
    Announce,
    GrantSession,
    KillWorker,
    RejectCheckout,
    ReleaseSpawners,
    RequestOverran,
    StartSpawn,
    StopWorker,
    TimePassed,
    WakeAt,
    WorkerExited,
)

if TYPE_CHECKING:
    from benchmarks.simulation.nature import Nature
    from passtwist.model import WorkerId
    from passtwist.pool import Action, Event, Pool


class BrokenOrder(AssertionError):
    """The pool ordered what makes no sense in this world."""


class World:
    """One pool, and everything that it hears of.

    :ivar alive: workers that are ready and have not exited: their app, and the
        tickets of their sessions.
    :ivar notices: what the pool announced, by kind.
    :ivar events: how often the pool was told something.
    """

    def __init__(self, pool: Pool, nature: Nature, seed: int) -> None:
        self.pool = pool
        self.agenda = Agenda()
        self.ledger = Ledger()
        self.nature = nature
        self.alive: dict[WorkerId, str] = {}
        self.notices: Counter[str] = Counter()
        self.events = 0
        self.spawns = Spawns(self, seed)
        self._fate = source(seed, "fates")
        self._serving: dict[int, WorkerId] = {}
        self._sessions: dict[WorkerId, set[int]] = {}
        self._services: dict[int, float] = {}

    # --- requests --------------------------------------------------------------

    def ask(self, app: str, service: float) -> None:
        """A request comes that would take *service* seconds."""
        faults, now = self.nature.faults, self.agenda.now
        ticket = self.ledger.ask(app, now)
        self._services[ticket] = service
        self.events += 1
        worker = self.pool.checkout(app, ticket, now)
        if worker is not None:
            self._begin(ticket, worker)
        elif faults.impatient and self._fate.random() < faults.impatient:
            self.agenda.after(faults.patience, self._leave, ticket)
        self._drain()

    def _begin(self, ticket: int, worker: WorkerId) -> None:
        """A worker has it from now on."""
        if self.alive.get(worker) != self.ledger.apps[ticket]:
            raise BrokenOrder(f"ticket {ticket} was given to worker {worker}")
        self.ledger.begin(ticket, self.agenda.now)
        self._serving[ticket] = worker
        self._sessions[worker].add(ticket)
        service = self._services.pop(ticket)
        faults = self.nature.faults
        fate = self._fate.random() if faults.kills or faults.hangs else 1.0
        if fate < faults.kills:
            self.agenda.after(service / 2, self.die, worker)
        elif fate < faults.kills + faults.hangs:
            self.agenda.after(faults.max_request_time, self._overrun, ticket)
        else:
            self.agenda.after(service, self._finish, ticket)

    def _finish(self, ticket: int) -> None:
        if ticket in self._serving:
            self._end(ticket, SERVED)
            self._drain()

    def _end(self, ticket: int, answer: str) -> None:
        worker = self._serving.pop(ticket)
        if worker in self._sessions:
            self._sessions[worker].remove(ticket)
        self.ledger.answer(ticket, answer, self.agenda.now)
        self.events += 1
        follower = self.pool.end_session(worker, self.agenda.now)
        if isinstance(follower, int):
            self._begin(follower, worker)

    def _leave(self, ticket: int) -> None:
        """The client of a request that may still wait is tired of it."""
        if self._services.pop(ticket, None) is None:
            return
        self.ledger.answer(ticket, LEFT, self.agenda.now)
        self.events += 1
        self.pool.cancel(self.ledger.apps[ticket], ticket, self.agenda.now)
        self._drain()

    def _overrun(self, ticket: int) -> None:
        """The request hangs: its worker is killed after a grace."""
        worker = self._serving.get(ticket)
        if worker is not None:
            self.agenda.after(self.nature.faults.grace, self.die, worker)
            self.tell(RequestOverran(worker))

    # --- workers ---------------------------------------------------------------

    def born(self, worker: WorkerId, app: str) -> None:
        """A spawn has succeeded; the pool is about to hear of it."""
        self.alive[worker] = app
        self._sessions[worker] = set()

    def die(self, worker: WorkerId, innocent: bool = False) -> None:
        """Its process ends: the pool hears of that, then of its sessions."""
        if self.alive.pop(worker, None) is None:
            return
        sessions = sorted(self._sessions.pop(worker))
        self.tell(WorkerExited(worker, innocent))
        for ticket in sessions:
            self._end(ticket, CUT)
        self._drain()

    # --- the pool --------------------------------------------------------------

    def tell(self, event: Event) -> None:
        """The pool hears of it, and what it orders is done."""
        self.events += 1
        self._perform(self.pool.handle(event, self.agenda.now))

    def ring(self) -> None:
        """Wake the pool if that is due now, before anything else happens."""
        due = self.pool.next_wake()
        if due is not None and due <= self.agenda.now:
            self.tell(TimePassed())

    def _drain(self) -> None:
        if self.pool.outbox:
            self._perform(self.pool.take_actions())

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, GrantSession):
                assert isinstance(action.ticket, int)
                self._begin(action.ticket, action.worker)
            elif isinstance(action, RejectCheckout):
                self._reject(action)
            elif isinstance(action, WakeAt):
                self.agenda.at(action.time, self.tell, TimePassed())
            elif isinstance(action, StartSpawn):
                self.spawns.start(action)
            elif isinstance(action, StopWorker):
                self._stop(action.worker)
            elif isinstance(action, KillWorker):
                self._kill(action.worker)
            elif isinstance(action, Announce):
                self.notices[type(action.notice).__name__] += 1
            else:
                assert isinstance(action, ReleaseSpawners)

    def _reject(self, action: RejectCheckout) -> None:
        assert isinstance(action.ticket, int)
        del self._services[action.ticket]
        answer = f"refused with {action.status}"
        self.ledger.answer(action.ticket, answer, self.agenda.now)

    def _stop(self, worker: WorkerId) -> None:
        if self._sessions.get(worker):
            raise BrokenOrder(f"worker {worker} shall leave and has sessions")
        self.agenda.after(self.nature.processes.leave, self.die, worker)

    def _kill(self, worker: WorkerId) -> None:
        if worker not in self.alive:
            self.spawns.cancel(worker)
        else:
            self.agenda.after(self.nature.processes.die, self.die, worker)
