"""The pool: pure algorithm, states, invariants and views.

Runs in: the controller.  No I/O, no clock, no chance.
"""

from passtwist.pool.actions import (
    Action,
    Announce,
    GrantSession,
    KillWorker,
    RejectCheckout,
    ReleaseSpawners,
    StartSpawn,
    StopWorker,
    WakeAt,
)
from passtwist.pool.events import (
    AppAdded,
    AppRemoved,
    DetachRequested,
    Event,
    ShutdownRequested,
    SpawnFailed,
    StopRequested,
    TimePassed,
    WorkerExited,
    WorkerLost,
    WorkerReady,
)
from passtwist.pool.limits import PoolLimits
from passtwist.pool.notices import (
    AppStateChanged,
    Notice,
    PoolDrained,
    SpawnHasFailed,
    WorkerBecameReady,
    WorkerDied,
    WorkerEvicted,
    WorkerRetired,
    WorkerUnreachable,
)
from passtwist.pool.pool import Pool
from passtwist.pool.states import AppState, WorkerState
from passtwist.pool.views import AppView, PoolView, WorkerView

__all__ = [
    "Action",
    "Announce",
    "AppAdded",
    "AppRemoved",
    "AppState",
    "AppStateChanged",
    "AppView",
    "DetachRequested",
    "Event",
    "GrantSession",
    "KillWorker",
    "Notice",
    "Pool",
    "PoolDrained",
    "PoolLimits",
    "PoolView",
    "RejectCheckout",
    "ReleaseSpawners",
    "ShutdownRequested",
    "SpawnFailed",
    "SpawnHasFailed",
    "StartSpawn",
    "StopRequested",
    "StopWorker",
    "TimePassed",
    "WakeAt",
    "WorkerBecameReady",
    "WorkerDied",
    "WorkerEvicted",
    "WorkerExited",
    "WorkerLost",
    "WorkerReady",
    "WorkerRetired",
    "WorkerState",
    "WorkerUnreachable",
    "WorkerView",
]
