"""One app in the pool: its workers, its queue, and what it lacks.

Runs in: the controller.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from passtwist.pool.backoff import BackOff
from passtwist.pool.deaths import EarlyDeaths
from passtwist.pool.renewal import Renewal
from passtwist.pool.room import Need
from passtwist.pool.routing import Router
from passtwist.pool.spares import retirement_of
from passtwist.pool.states import AppState, WorkerEvent
from passtwist.pool.waiting import WaitingQueue

if TYPE_CHECKING:
    from passtwist.model import Limits, WorkerId
    from passtwist.pool.limits import PoolLimits
    from passtwist.pool.worker import Worker

_FIRST_SESSION_BEGAN = WorkerEvent.FIRST_SESSION_BEGAN


class Group:
    """What the pool knows of one app; times in seconds.

    :ivar generation: that workers are started with; its code is good, as far
        as anybody knows.
    :ivar renewal: how old workers are replaced by new ones.
    :ivar floor: the minimum of workers that can be kept.
    :ivar workers: all that are not gone, by number, oldest first.
    :ivar idle: those of them that are idle, longest idle first.
    :ivar live: how many are idle or busy.
    :ivar starting: how many spawns are under way, extras not counted.
    :ivar dormant: the minimum is not kept until a request comes: none has
        come yet, or a worker was taken away for another app.
    :ivar is_removed: its workers leave; another app may have its name by now.
    :ivar waits_as: its line in `passtwist.pool.room.RoomLine`, None: in none.
    :ivar restore_at: the minimum is not restored before.
    :ivar keeps_spares: it has a number of spare workers.
    :ivar look_at: when to look whether spares are missing, None: not now.
    :ivar lacking: how many of them were missing at the last look.
    :ivar overlong: how many waited when `max_queue_size` became smaller.
    :ivar unused_since: when the last worker was gone, None: there are some,
        or the spawners have been released since.
    """

    __slots__ = (
        "_deaths",
        "back_off",
        "dormant",
        "floor",
        "generation",
        "idle",
        "is_removed",
        "keeps_spares",
        "lacking",
        "limits",
        "live",
        "look_at",
        "name",
        "overlong",
        "queue",
        "renewal",
        "restore_at",
        "router",
        "starting",
        "state",
        "unused_since",
        "waits_as",
        "workers",
    )

    def __init__(self, name: str, limits: Limits, pool: PoolLimits) -> None:
        self.name = name
        self.set_limits(limits)
        self.state = AppState.STOPPED
        self.generation = 0
        self.workers: dict[int, Worker] = {}
        self.idle: OrderedDict[int, Worker] = OrderedDict()
        self.router = Router()
        self.queue = WaitingQueue()
        self.back_off = BackOff(pool.first_back_off, pool.longest_back_off)
        self.live = 0
        self.starting = 0
        self.dormant = not limits.prestart
        self.is_removed = False
        self.waits_as: Need | None = None
        self.restore_at = 0.0
        self.unused_since: float | None = None
        self.look_at: float | None = None
        self.lacking = 0
        self.overlong = 0
        self.renewal = Renewal()
        self._deaths = EarlyDeaths()

    def set_limits(self, limits: Limits) -> None:
        """Whoever changes them sees to what follows."""
        self.limits = limits
        most = limits.max_instances or limits.min_instances
        self.floor = min(limits.min_instances, most)
        self.keeps_spares = limits.spare_workers > 0

    @property
    def total(self) -> int:
        """Workers that count against the pool's size."""
        return self.live + self.starting

    @property
    def has_surplus(self) -> bool:
        return self.live + self.starting > self.floor

    @property
    def is_queue_full(self) -> bool:
        return 0 < self.limits.max_queue_size <= len(self.queue)

    def longest_idle(self) -> Worker | None:
        for worker in self.idle.values():
            return worker
        return None

    def with_room(self, number: WorkerId) -> Worker | None:
        """That worker, if it takes sessions and is not full."""
        worker = self.workers.get(number)
        if worker is None or not worker.takes_sessions:
            return None
        return worker if worker.sessions < worker.concurrency else None

    def begin_session(self, worker: Worker) -> None:
        """Count a session on *worker*, which the router gave."""
        if not worker.sessions:
            worker.advance(_FIRST_SESSION_BEGAN)
            del self.idle[worker.id]
        worker.sessions += 1
        if worker.sessions < worker.concurrency:
            self.router.offer(worker)

    def need(self, now: float) -> Need | None:
        """Why one more worker should be started now, or None.

        Waiters whom the spawns under way will serve are no reason for more.
        """
        limits = self.limits
        starting = self.starting
        total = self.live + starting
        if (
            starting >= limits.spawn_concurrency
            or 0 < limits.max_instances <= total
            or self.back_off.is_active(now)
        ):
            return None
        if len(self.queue) > starting * limits.concurrency:
            return Need.GROWING if total else Need.HOMELESS
        if self.dormant or now < self.restore_at:
            return None
        if total < self.floor:
            return Need.BELOW_MINIMUM
        return Need.SPARE if self.lacking and not starting else None

    def worker_died(self, worker: Worker, innocent: bool, now: float) -> bool:
        """Put off the next spawns if workers die as soon as they live.

        :returns: whether that is so from now on, for those whom requests ask for.
        """
        deaths = self._deaths
        wait = deaths.wait_after(worker, innocent, now)
        if wait is not None:
            self.restore_at = now + wait if wait else 0.0
        if deaths.held_until <= now:
            return False
        self.back_off.hold(deaths.held_until)
        is_news, deaths.is_told = not deaths.is_told, True
        return is_news

    def forgive(self) -> None:
        """What happened to workers so far says nothing about the next."""
        self.back_off.forgive()
        self._deaths.forgive()
        self.restore_at = 0.0

    def next_time(self, pool: PoolLimits, now: float) -> float | None:
        """When time alone will change something here, or None."""
        times = []
        if self.limits.max_queue_time:
            times.append(self.queue.first_deadline(self.limits.max_queue_time))
        if self.back_off.is_active(now):
            times.append(self.back_off.until)
        if now < self.restore_at:
            times.append(self.restore_at)
        if self.unused_since is not None and pool.spawner_idle_time:
            times.append(self.unused_since + pool.spawner_idle_time)
        if self.keeps_spares:
            times.extend((self.look_at, retirement_of(self, pool)))
        if self.renewal.asked is not None:
            times.append(self.renewal.next_time(pool.restart_pause))
        return min((time for time in times if time is not None), default=None)
