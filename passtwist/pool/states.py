"""The states of workers and apps, and what leads from one to the next.

Runs in: the controller.

Two rules.  The tables below are the only place that says which state follows
which; whoever changes a state does it through `next_worker_state` or
`next_app_state`, and a pair that is not in the table raises.  And a state is
changed by what happened, never by what somebody would like it to be.

docs/explanation/pool-algorithm.md prints these tables; a test keeps the two
equal.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from passtwist.errors import IllegalTransition


class WorkerState(Enum):
    """Where a worker is in its life.

    `GONE` is never seen from outside.  `DISABLING` and `DISABLED` are what busy
    and idle ones become when they shall get no sessions for a while; outside
    they are seen as busy and idle, but not enabled.
    """

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    DISABLING = "disabling"
    DISABLED = "disabled"
    DRAINING = "draining"
    STOPPING = "stopping"
    GONE = "gone"

    # Enum hashes by name, in Python; members are singletons, so identity does
    # as well and the tables are looked up on every request.
    __hash__ = object.__hash__


class WorkerEvent(Enum):
    """What can happen to a worker."""

    BECAME_READY = "became ready"
    SPAWN_FAILED = "spawn failed"
    FIRST_SESSION_BEGAN = "first session began"
    LAST_SESSION_ENDED = "last session ended"
    TURNED_OFF = "turned off"
    TURNED_ON = "turned on"
    DISMISSED = "dismissed"
    CUT_OFF = "cut off"
    EXITED = "exited"

    __hash__ = object.__hash__


class AppState(Enum):
    """How an app is doing, for status and log."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    DEGRADED = "degraded"
    BACKING_OFF = "backing-off"

    __hash__ = object.__hash__


class AppEvent(Enum):
    """What can happen to an app.

    The three ``LAST_WORKER_LEFT`` say what is left when the last worker that
    took sessions does not any more: nothing, a spawn under way, or failures or
    crashes that have to be waited out before a spawn is tried.  The three
    ``WORKER_READY`` say what else there is: nothing, a restart under way, or
    a failure that this worker does not make good.
    """

    SPAWN_BEGAN = "spawn began"
    SPAWN_CANCELLED = "last spawn cancelled"
    SPAWN_FAILED = "spawn failed"
    WORKER_READY = "worker ready"
    WORKER_READY_RESTARTING = "worker ready, restart under way"
    WORKER_READY_DEGRADED = "worker ready, failure not made good"
    RESTART_BEGAN = "restart began"
    RESTART_FINISHED = "restart finished"
    RESTART_FAILED = "restart failed"
    LAST_WORKER_LEFT = "last worker left"
    LAST_WORKER_LEFT_STARTING = "last worker left, spawn under way"
    LAST_WORKER_LEFT_BACKING_OFF = "last worker left, in back-off"
    BACK_OFF_ENDED = "back-off ended"

    __hash__ = object.__hash__


_W = WorkerState
_E = WorkerEvent

WORKER_TRANSITIONS: Final[dict[WorkerState, dict[WorkerEvent, WorkerState]]] = {
    _W.STARTING: {
        _E.BECAME_READY: _W.IDLE,
        _E.SPAWN_FAILED: _W.GONE,
        _E.DISMISSED: _W.STOPPING,
        _E.CUT_OFF: _W.STOPPING,
        # Its process ended before the service was done with getting it ready:
        # how the spawn ended is still to come.
        _E.EXITED: _W.STARTING,
    },
    _W.IDLE: {
        _E.FIRST_SESSION_BEGAN: _W.BUSY,
        _E.TURNED_OFF: _W.DISABLED,
        _E.DISMISSED: _W.STOPPING,
        _E.CUT_OFF: _W.STOPPING,
        _E.EXITED: _W.GONE,
    },
    _W.BUSY: {
        _E.LAST_SESSION_ENDED: _W.IDLE,
        _E.TURNED_OFF: _W.DISABLING,
        _E.DISMISSED: _W.DRAINING,
        _E.CUT_OFF: _W.STOPPING,
        _E.EXITED: _W.GONE,
    },
    _W.DISABLING: {
        _E.LAST_SESSION_ENDED: _W.DISABLED,
        _E.TURNED_ON: _W.BUSY,
        _E.DISMISSED: _W.DRAINING,
        _E.CUT_OFF: _W.STOPPING,
        _E.EXITED: _W.GONE,
    },
    _W.DISABLED: {
        _E.TURNED_ON: _W.IDLE,
        _E.DISMISSED: _W.STOPPING,
        _E.CUT_OFF: _W.STOPPING,
        _E.EXITED: _W.GONE,
    },
    _W.DRAINING: {
        _E.LAST_SESSION_ENDED: _W.STOPPING,
        _E.DISMISSED: _W.DRAINING,
        _E.CUT_OFF: _W.STOPPING,
        _E.EXITED: _W.GONE,
    },
    # A spawn that we gave up may have been ready or have failed by the time
    # the service heard of it.
    _W.STOPPING: {
        _E.BECAME_READY: _W.STOPPING,
        _E.SPAWN_FAILED: _W.GONE,
        _E.DISMISSED: _W.STOPPING,
        _E.EXITED: _W.GONE,
    },
    # It is forgotten.  Spawn, process and connections end one after the other in
    # any order: what is reported of it now is late, not wrong, and finds nobody.
    _W.GONE: {},
}

_A = AppState
_H = AppEvent

APP_TRANSITIONS: Final[dict[AppState, dict[AppEvent, AppState]]] = {
    # A disabled worker that is enabled again needs no spawn to be there.
    _A.STOPPED: {
        _H.SPAWN_BEGAN: _A.STARTING,
        _H.WORKER_READY: _A.READY,
        _H.WORKER_READY_DEGRADED: _A.DEGRADED,
        # How the last worker ended is known a moment after it left.
        _H.LAST_WORKER_LEFT_BACKING_OFF: _A.BACKING_OFF,
    },
    _A.STARTING: {
        _H.SPAWN_BEGAN: _A.STARTING,
        _H.SPAWN_CANCELLED: _A.STOPPED,
        _H.SPAWN_FAILED: _A.BACKING_OFF,
        _H.WORKER_READY: _A.READY,
        _H.WORKER_READY_RESTARTING: _A.RESTARTING,
        _H.WORKER_READY_DEGRADED: _A.DEGRADED,
        _H.LAST_WORKER_LEFT_BACKING_OFF: _A.BACKING_OFF,
    },
    _A.READY: {
        _H.SPAWN_BEGAN: _A.READY,
        _H.SPAWN_FAILED: _A.DEGRADED,
        _H.WORKER_READY: _A.READY,
        _H.RESTART_BEGAN: _A.RESTARTING,
        _H.LAST_WORKER_LEFT: _A.STOPPED,
        _H.LAST_WORKER_LEFT_STARTING: _A.STARTING,
        _H.LAST_WORKER_LEFT_BACKING_OFF: _A.BACKING_OFF,
    },
    _A.RESTARTING: {
        _H.SPAWN_BEGAN: _A.RESTARTING,
        _H.SPAWN_FAILED: _A.DEGRADED,
        _H.WORKER_READY_RESTARTING: _A.RESTARTING,
        _H.RESTART_BEGAN: _A.RESTARTING,
        _H.RESTART_FINISHED: _A.READY,
        _H.RESTART_FAILED: _A.DEGRADED,
        _H.LAST_WORKER_LEFT: _A.STOPPED,
        _H.LAST_WORKER_LEFT_STARTING: _A.STARTING,
        _H.LAST_WORKER_LEFT_BACKING_OFF: _A.BACKING_OFF,
    },
    _A.DEGRADED: {
        _H.SPAWN_BEGAN: _A.DEGRADED,
        _H.SPAWN_FAILED: _A.DEGRADED,
        _H.WORKER_READY: _A.READY,
        _H.WORKER_READY_RESTARTING: _A.RESTARTING,
        _H.WORKER_READY_DEGRADED: _A.DEGRADED,
        _H.RESTART_BEGAN: _A.RESTARTING,
        _H.RESTART_FAILED: _A.DEGRADED,
        _H.LAST_WORKER_LEFT: _A.STOPPED,
        _H.LAST_WORKER_LEFT_STARTING: _A.STARTING,
        _H.LAST_WORKER_LEFT_BACKING_OFF: _A.BACKING_OFF,
    },
    # Spawns that began before the one that failed may still succeed.
    _A.BACKING_OFF: {
        _H.SPAWN_BEGAN: _A.STARTING,
        _H.SPAWN_FAILED: _A.BACKING_OFF,
        _H.WORKER_READY: _A.READY,
        _H.WORKER_READY_RESTARTING: _A.RESTARTING,
        _H.WORKER_READY_DEGRADED: _A.DEGRADED,
        _H.BACK_OFF_ENDED: _A.STOPPED,
    },
}


def next_worker_state(
    worker: int, state: WorkerState, event: WorkerEvent
) -> WorkerState:
    """The state that follows.

    :raises IllegalTransition: *event* cannot happen in *state*.
    """
    try:
        return WORKER_TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(f"worker {worker}", state, event) from None


def next_app_state(app: str, state: AppState, event: AppEvent) -> AppState:
    """The state that follows.

    :raises IllegalTransition: *event* cannot happen in *state*.
    """
    try:
        return APP_TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(f"app {app}", state, event) from None
