"""The layers below this one: found by key, ended, reaped.

Runs in: the manager and framework spawners.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Callable, Dict, Iterator, List, Optional

from passtwist.model import ExitStatus
from passtwist.spawnserver.channel import Channel

# A retired layer may be loading its app and not see its channel's end.
RETIRE_LIMIT = 5.0  # seconds
# One that is only too old may do so for somebody who waits.
OLD_LIMIT = 120.0  # seconds


class ChildLayer:
    """One layer below, as a process.

    :ivar kind: ``framework`` or ``app``.
    :ivar app: the app's name; "" for a framework spawner.
    :ivar generation: of the app when it was started.
    :ivar started_at: CLOCK_MONOTONIC.
    :ivar max_age: seconds after which it is not used any more; 0 for no limit.
    :ivar kill_at: CLOCK_MONOTONIC at which it is killed if it lives; None
        while it is in service.
    """

    def __init__(
        self, kind: str, pid: int, app: str, generation: int, channel: Channel
    ) -> None:
        self.kind = kind
        self.pid = pid
        self.app = app
        self.generation = generation
        self.channel = channel
        self.started_at = time.monotonic()
        self.max_age = 0.0
        self.kill_at: Optional[float] = None
        try:
            self.pidfd = os.pidfd_open(pid)
        except OSError:
            # Nobody would see its end.
            self.pidfd = -1
            self.kill()
            os.waitpid(pid, 0)
            channel.close()
            raise

    def limit_age(self, seconds: float) -> None:
        """Whoever uses it wants it to be no older; the lowest limit holds."""
        if seconds and not 0 < self.max_age < seconds:
            self.max_age = seconds

    @property
    def old_at(self) -> Optional[float]:
        """CLOCK_MONOTONIC from which on it is too old; None for never."""
        return self.started_at + self.max_age if self.max_age else None

    def kill(self) -> None:
        """End it and whatever it has forked.

        Only before it is reaped: until then its number can't be anybody
        else's.  Workers have sessions of their own and live on.
        """
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            # Between its fork and its setsid() it has no group yet.
            os.kill(self.pid, signal.SIGKILL)

    def reap(self) -> Optional[ExitStatus]:
        """How it ended; None while it lives.  Kills what it left behind."""
        found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None:
            return None
        self.kill()
        _, status = os.waitpid(self.pid, 0)
        return ExitStatus.from_wait_status(status)

    def close(self) -> None:
        """Close our descriptors of it."""
        self.channel.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


class Children:
    """All of them: those in service by key, and those that are to end."""

    def __init__(self) -> None:
        self._by_key: Dict[str, ChildLayer] = {}
        self._leaving: List[ChildLayer] = []

    def __iter__(self) -> Iterator[ChildLayer]:
        return iter([*self._by_key.values(), *self._leaving])

    def find(self, key: str) -> Optional[ChildLayer]:
        """The one in service for *key*."""
        return self._by_key.get(key)

    def add(self, key: str, child: ChildLayer) -> None:
        """A new one is in service."""
        self._by_key[key] = child

    def retire(
        self, is_meant: Callable[[ChildLayer], bool], within: float = RETIRE_LIMIT
    ) -> List[ChildLayer]:
        """Take those that are meant out of service.

        :param within: seconds that they have to end.
        """
        chosen = [key for key, child in self._by_key.items() if is_meant(child)]
        retired = [self._by_key.pop(key) for key in chosen]
        for child in retired:
            child.kill_at = time.monotonic() + within
        self._leaving.extend(retired)
        return retired

    def forget(self, child: ChildLayer) -> None:
        """It has ended."""
        for key, known in list(self._by_key.items()):
            if known is child:
                del self._by_key[key]
        if child in self._leaving:
            self._leaving.remove(child)

    def next_time(self) -> Optional[float]:
        """CLOCK_MONOTONIC at which one is to be killed or is too old, or None."""
        times = [child.kill_at for child in self._leaving]
        times += [child.old_at for child in self._by_key.values()]
        return min((at for at in times if at is not None), default=None)

    def retire_old(self) -> List[ChildLayer]:
        """Take those that are too old out of service."""
        now = time.monotonic()

        def is_old(child: ChildLayer) -> bool:
            return child.old_at is not None and child.old_at <= now

        return self.retire(is_old, OLD_LIMIT)

    def kill_overdue(self) -> None:
        """Kill those whose time is up."""
        now = time.monotonic()
        for child in self._leaving:
            if child.kill_at is not None and child.kill_at <= now:
                child.kill_at = None
                child.kill()
