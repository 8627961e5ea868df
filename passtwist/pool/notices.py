"""What the pool tells the log and the status page.

Runs in: the controller.  Frozen values; the service turns them into words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from passtwist.model import WorkerId
    from passtwist.pool.states import AppState


@dataclass(frozen=True, slots=True)
class AppStateChanged:
    """An app went from one state to another."""

    app: str
    old: AppState
    new: AppState


@dataclass(frozen=True, slots=True)
class WorkerBecameReady:
    """A worker takes sessions from now on; *seconds* since its spawn began."""

    app: str
    worker: WorkerId
    seconds: float


@dataclass(frozen=True, slots=True)
class SpawnHasFailed:
    """No worker came of it.

    :ivar serving: workers of the app that go on serving.
    :ivar retry_at: until then (seconds) no other spawn of the app is tried.
    """

    app: str
    worker: WorkerId
    error: object
    serving: int
    retry_at: float


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """A worker went without being asked to, with *sessions* under way."""

    app: str
    worker: WorkerId
    sessions: int


@dataclass(frozen=True, slots=True)
class CrashesInARow:
    """Workers of *app* crash before they have answered anything; *worker* did last.

    Told once, until they have become fewer.

    :ivar seconds: for which no worker is started.
    """

    app: str
    worker: WorkerId
    seconds: float


@dataclass(frozen=True, slots=True)
class WorkerUnreachable:
    """A worker's connections broke; it is being killed."""

    app: str
    worker: WorkerId
    sessions: int


@dataclass(frozen=True, slots=True)
class WorkerEvicted:
    """A worker of *app* gave its place to another app.

    :ivar idle: seconds for which it had nothing to do; 0 when it had.
    """

    app: str
    worker: WorkerId
    for_app: str
    idle: float


@dataclass(frozen=True, slots=True)
class WorkerRetired:
    """A worker above its app's minimum was idle for too long."""

    app: str
    worker: WorkerId
    idle: float


@dataclass(frozen=True, slots=True)
class WorkerRecycled:
    """A worker leaves because it is worn; *reason* says by what."""

    app: str
    worker: WorkerId
    reason: str


@dataclass(frozen=True, slots=True)
class WorkerDismissed:
    """A worker leaves because a limit became smaller; *reason* says which."""

    app: str
    worker: WorkerId
    reason: str


@dataclass(frozen=True, slots=True)
class WorkerOverstayed:
    """A worker that was to leave is killed with *sessions* still in it.

    :ivar seconds: for which it was waited.
    """

    app: str
    worker: WorkerId
    sessions: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RestartBegan:
    """An app's workers are going to be replaced by those of *generation*."""

    app: str
    generation: int
    reason: str


@dataclass(frozen=True, slots=True)
class RestartSwitched:
    """The first worker of the new generation takes sessions."""

    app: str
    generation: int


@dataclass(frozen=True, slots=True)
class RestartFinished:
    """Only workers of the new generation take sessions; *seconds* it took."""

    app: str
    generation: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RestartFailed:
    """The new generation did not come up; that before it goes on.

    :ivar error: what `SpawnFailed` reported, or a sentence.
    :ivar serving: workers that go on serving.
    """

    app: str
    generation: int
    error: object
    serving: int


@dataclass(frozen=True, slots=True)
class RestartSuperseded:
    """A restart to *generation* was under way; a newer one takes its place."""

    app: str
    generation: int


@dataclass(frozen=True, slots=True)
class PoolDrained:
    """After a shutdown request: no worker and no waiter is left."""


Notice = (
    AppStateChanged
    | WorkerBecameReady
    | SpawnHasFailed
    | WorkerDied
    | CrashesInARow
    | WorkerUnreachable
    | WorkerEvicted
    | WorkerRetired
    | WorkerRecycled
    | WorkerDismissed
    | WorkerOverstayed
    | RestartBegan
    | RestartSwitched
    | RestartFinished
    | RestartFailed
    | RestartSuperseded
    | PoolDrained
)
