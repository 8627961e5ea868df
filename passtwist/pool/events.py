"""What happened: all that the pool is told through `Pool.handle`.

Runs in: the controller.

A request's checkout, its end and its cancellation are methods of the pool and
no events: they happen on every request, and an object for each would cost
more than the decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from passtwist.model import Limits, WorkerId
    from passtwist.pool.limits import PoolLimits


@dataclass(frozen=True, slots=True)
class AppAdded:
    """An app may be asked for from now on."""

    app: str
    limits: Limits


@dataclass(frozen=True, slots=True)
class AppRemoved:
    """Nobody will ask for this app any more.

    Its waiters are refused, its workers leave when their sessions have
    ended.  The name may be added again at once.
    """

    app: str


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """A spawn that was asked for has succeeded.

    :ivar concurrency: sessions that it carries at a time, at least 1.
    :ivar jitter: chance, from 0 to below 1: how much of the last tenth of
        `max_requests` it is spared.
    """

    worker: WorkerId
    concurrency: int
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class SpawnFailed:
    """A spawn that was asked for has failed, or was cancelled as asked.

    :ivar error: handed on to status and to those who waited for it.
    :ivar jitter: chance, from 0 to below 1: how much of the back-off's last
        quarter is waited.
    :ivar innocent: it is not the app's fault: a process that should have
        started the worker was killed.
    """

    worker: WorkerId
    error: object
    jitter: float
    innocent: bool = False


@dataclass(frozen=True, slots=True)
class WorkerExited:
    """The worker's process is gone, whatever the reason.

    Its sessions are no concern of the pool any more; ending them is harmless.

    :ivar innocent: it was killed by a signal that nobody of us sent, so most
        likely it is not the app's fault.
    """

    worker: WorkerId
    innocent: bool = False


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """The worker can't be reached though its process lives."""

    worker: WorkerId


@dataclass(frozen=True, slots=True)
class DetachRequested:
    """Somebody wants this worker to leave once its sessions have ended."""

    worker: WorkerId


@dataclass(frozen=True, slots=True)
class RestartRequested:
    """The app's code may have changed: replace its workers, one by one.

    :ivar reason: what asked for it, in words.
    """

    app: str
    reason: str


@dataclass(frozen=True, slots=True)
class MemorySampled:
    """How much memory workers have of their own: bytes, by worker."""

    samples: Mapping[WorkerId, int]


@dataclass(frozen=True, slots=True)
class RequestOverran:
    """A request in this worker took too long: no more sessions for it.

    Whoever reports it sees to the request and to the process.
    """

    worker: WorkerId


@dataclass(frozen=True, slots=True)
class DisableRequested:
    """This worker shall get no sessions, but stay; see `EnableRequested`."""

    worker: WorkerId


@dataclass(frozen=True, slots=True)
class EnableRequested:
    """This worker, which was disabled, may have sessions again."""

    worker: WorkerId


@dataclass(frozen=True, slots=True)
class ConfigChanged:
    """An app has other limits from now on."""

    app: str
    limits: Limits


@dataclass(frozen=True, slots=True)
class PoolConfigChanged:
    """The pool has other limits from now on."""

    limits: PoolLimits


@dataclass(frozen=True, slots=True)
class TimePassed:
    """A `WakeAt` is due.  Harmless at any other time."""


@dataclass(frozen=True, slots=True)
class ShutdownRequested:
    """Take no request any more, serve those that wait, let all workers leave."""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """End everything now: refuse who waits, kill who works."""


Event = (
    AppAdded
    | AppRemoved
    | WorkerReady
    | SpawnFailed
    | WorkerExited
    | WorkerLost
    | DetachRequested
    | RestartRequested
    | MemorySampled
    | RequestOverran
    | DisableRequested
    | EnableRequested
    | ConfigChanged
    | PoolConfigChanged
    | TimePassed
    | ShutdownRequested
    | StopRequested
)
