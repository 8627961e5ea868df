"""How much memory processes use, sampled outside the reactor's thread.

Runs in: the controller.  Reading smaps_rollup walks the whole address space
of a process in the kernel: milliseconds for a large one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from passtwist.api.interfaces import ISpawnServer
    from passtwist.model import WorkerId
    from passtwist.service.running import RunningWorker

SAMPLE_EVERY = 5.0  # seconds, as Passenger's analytics

Memory = dict[str, int]


def read(pid: int) -> Memory | None:
    """PSS, USS and RSS of a process in bytes; None when it can't be read."""
    sums = {"Pss": 0, "Rss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
            for line in lines:
                name, _, rest = line.partition(":")
                if name in sums:
                    sums[name] = int(rest.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        return None
    return {
        "pss": sums["Pss"],
        "uss": sums["Private_Clean"] + sums["Private_Dirty"],
        "rss": sums["Rss"],
    }


class MemorySampler:
    """Samples all processes of the server every few seconds, and when asked.

    :ivar samples: the last sample of each process, by pid.
    """

    def __init__(
        self, workers: Mapping[WorkerId, RunningWorker], spawn_server: ISpawnServer
    ) -> None:
        self.samples: dict[int, Memory] = {}
        self._workers = workers
        self._spawn_server = spawn_server
        self._loop = LoopingCall(self.sample)
        self._waiters: list[Deferred[None]] | None = None

    def start(self) -> None:
        """Begin to sample."""
        self._loop.start(SAMPLE_EVERY, now=False)

    def stop(self) -> Deferred[None]:
        """Cease; fires when no thread of ours reads any more."""
        if self._loop.running:
            self._loop.stop()
        return succeed(None) if self._waiters is None else self._wait()

    def sample(self) -> Deferred[None]:
        """Sample now; fires when done, together with one that is under way."""
        if self._waiters is not None:
            return self._wait()
        self._waiters = []
        done = self._wait()
        running = (one.worker for one in self._workers.values())
        pids = [worker.pid for worker in running if worker is not None]
        pids += [spawner.pid for spawner in self._spawn_server.spawners()]
        pids += [os.getpid(), self._spawn_server.manager_pid()]
        sampling = deferToThread(lambda: {pid: read(pid) for pid in pids})
        sampling.addCallback(self._sampled)
        return done

    def _wait(self) -> Deferred[None]:
        assert self._waiters is not None
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        return waiter

    def _sampled(self, found: dict[int, Memory | None]) -> None:
        self.samples = {pid: memory for pid, memory in found.items() if memory}
        waiters, self._waiters = self._waiters or [], None
        for waiter in waiters:
            waiter.callback(None)
