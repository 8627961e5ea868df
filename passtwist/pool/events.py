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
    from passtwist.model import Limits, WorkerId


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
    """

    worker: WorkerId
    concurrency: int


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
    """

    worker: WorkerId


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """The worker can't be reached though its process lives."""

    worker: WorkerId


@dataclass(frozen=True, slots=True)
class DetachRequested:
    """Somebody wants this worker to leave once its sessions have ended."""

    worker: WorkerId


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
    | TimePassed
    | ShutdownRequested
    | StopRequested
)
