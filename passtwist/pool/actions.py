"""What is to be done: all that the pool asks of the service.

Runs in: the controller.  To be performed in the order in which they come.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from passtwist.model import WorkerId
    from passtwist.pool.notices import Notice


@dataclass(frozen=True, slots=True)
class StartSpawn:
    """Start a worker; report `WorkerReady` or `SpawnFailed` for its number.

    :ivar check_health: no worker of that generation has been ready yet, so it
        must answer the app's health check before it is.  How, not what: two
        orders for the same worker are equal.
    """

    worker: WorkerId
    app: str
    generation: int
    check_health: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class StopWorker:
    """It has no sessions left: ask it to leave, report `WorkerExited`."""

    worker: WorkerId
    reason: str


@dataclass(frozen=True, slots=True)
class KillWorker:
    """End it now, or cancel its spawn; report what comes of it as usual."""

    worker: WorkerId
    reason: str


@dataclass(frozen=True, slots=True)
class RejectCheckout:
    """This ticket will get no worker.

    :ivar status: 503 (queue full, back-off, shutting down, app removed), 504
        (waited too long) or 500 (the spawn that it waited for failed).
    :ivar reason: one sentence for the log.
    :ivar retry_after: seconds after which asking again may help, or None.
    :ivar error: what `SpawnFailed` reported, if that is the cause.
    """

    ticket: Hashable
    app: str
    status: int
    reason: str
    retry_after: int | None = None
    error: object | None = None


@dataclass(frozen=True, slots=True)
class GrantSession:
    """This waiting ticket has a session of that worker, already counted."""

    ticket: Hashable
    worker: WorkerId


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Report `TimePassed` at *time* (seconds) or as soon after as convenient.

    A later one for the same app (None: the pool itself) is always for an
    earlier time and takes the place of the former.
    """

    app: str | None
    time: float


@dataclass(frozen=True, slots=True)
class ReleaseSpawners:
    """The app's spawners are not needed any more.

    :ivar below: only those of older generations than this one; None: all.
    """

    app: str
    below: int | None = None


@dataclass(frozen=True, slots=True)
class Announce:
    """Something that log and status should say."""

    notice: Notice


Action = (
    StartSpawn
    | StopWorker
    | KillWorker
    | RejectCheckout
    | GrantSession
    | WakeAt
    | ReleaseSpawners
    | Announce
)
