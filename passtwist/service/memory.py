"""How much memory processes use, sampled outside the reactor's thread.

Runs in: the controller.  Reading smaps_rollup walks the whole address space
of a process in the kernel: milliseconds for a large one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
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
    """Samples all processes of interest every few seconds.

    :ivar samples: the last sample of each worker and spawner, by pid.
    """

    def __init__(
        self, workers: Mapping[WorkerId, RunningWorker], spawn_server: ISpawnServer
    ) -> None:
        self.samples: dict[int, Memory] = {}
        self._workers = workers
        self._spawn_server = spawn_server
        self._loop = LoopingCall(self.sample)
        self._underway: Deferred[None] | None = None

    def start(self) -> None:
        """Begin to sample."""
        self._loop.start(SAMPLE_EVERY, now=False)

    def stop(self) -> Deferred[None]:
        """Cease; fires when no thread of ours reads any more."""
        if self._loop.running:
            self._loop.stop()
        done: Deferred[None] = Deferred()
        if self._underway is None:
            done.callback(None)
        else:
            self._underway.addCallback(done.callback)
        return done

    def sample(self) -> Deferred[None]:
        """Sample now; fires when done."""
        running = (one.worker for one in self._workers.values())
        pids = [worker.pid for worker in running if worker is not None]
        pids += [spawner.pid for spawner in self._spawn_server.spawners()]
        sampling = deferToThread(lambda: {pid: read(pid) for pid in pids})
        self._underway = sampling.addCallback(self._sampled)
        return self._underway

    def _sampled(self, found: dict[int, Memory | None]) -> None:
        self._underway = None
        self.samples = {pid: memory for pid, memory in found.items() if memory}
