"""`memory_limit` and `hard_memory_limit`: tells the pool what workers take.

Runs in: the controller, and in a thread that reads.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from passtwist.pool import MemorySampled
from passtwist.service.memory import read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from passtwist.model import WorkerId
    from passtwist.pool import Event
    from passtwist.service.apps import App
    from passtwist.service.running import RunningWorker

# A hard limit is there to save the machine, for which the samples for status and
# statistics come too late.  Only workers of apps with a limit are looked at.
LOOK_EVERY = 1.0  # seconds
# The kernel's quick answer is some pages behind for each processor.
TOLERANCE = 4 * 1024 * 1024

_PAGE = os.sysconf("SC_PAGE_SIZE")


class MemoryLimits:
    """Samples the workers of apps with a limit.

    :param workers: the driver's.
    :param tell: tells the pool what happened.
    """

    log = Logger(namespace="passtwist.service")

    def __init__(
        self,
        apps: Mapping[str, App],
        workers: Mapping[WorkerId, RunningWorker],
        tell: Callable[[Event], None],
    ) -> None:
        self._apps = apps
        self._workers = workers
        self._tell = tell
        self._loop = LoopingCall(self._look)
        self._looking: Deferred[None] | None = None
        self._warned: set[str] = set()

    def start(self) -> None:
        """Begin to look."""
        ended = self._loop.start(LOOK_EVERY, now=False)
        ended.addErrback(lambda failure: self.log.failure("memory limits", failure))

    def stop(self) -> Deferred[None]:
        """Cease; fires when no thread of ours reads any more."""
        if self._loop.running:
            self._loop.stop()
        return self._looking if self._looking is not None else succeed(None)

    def _look(self) -> Deferred[None] | None:
        # The loop waits for what this answers with.
        pids: dict[WorkerId, tuple[int, int]] = {}
        for number, running in self._workers.items():
            least = self._least_limit(running.app)
            if least and running.worker is not None:
                pids[number] = (running.worker.pid, least)
        if not pids:
            return None
        reading = deferToThread(
            lambda: {number: own_memory(*one) for number, one in pids.items()}
        )
        self._looking = reading.addCallback(self._found)
        return self._looking

    def _least_limit(self, name: str) -> int:
        app = self._apps.get(name)
        if app is None:
            return 0
        limits = (app.settings.memory_limit, app.settings.hard_memory_limit)
        return min(filter(None, limits), default=0)

    def _found(self, found: dict[WorkerId, int | None]) -> None:
        self._looking = None
        samples = {number: own for number, own in found.items() if own}
        for number, own in found.items():
            if own is None:
                self._warn(number)
        if samples and self._loop.running:
            self._tell(MemorySampled(samples))

    def _warn(self, number: WorkerId) -> None:
        """It can't be read; unless it is just that it has ended."""
        running = self._workers.get(number)
        if running is None or running.worker is None or running.app in self._warned:
            return
        if not may_be_read(running.worker.pid):
            self._warned.add(running.app)
            self.log.error(
                "app {app}: its memory limits have no effect: how much memory worker "
                "{pid} has may not be read",
                app=running.app,
                pid=running.worker.pid,
            )


def own_memory(pid: int, least: int) -> int | None:
    """Bytes that a process has for itself (USS); 0 if surely less than *least*.

    None when it can't be read.  What it has of its own is part of what it sees
    at all, which the kernel knows without walking through the address space.
    """
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            seen = int(file.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return None
    if seen + TOLERANCE < least:
        return 0
    sample = read(pid)
    return None if sample is None else sample["uss"]


def may_be_read(pid: int) -> bool:
    """Whether we have the right to know the memory of a process."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb"):
            return True
    except PermissionError:
        return False
    except OSError:
        return True  # it has ended
