"""How the processes and the requests of the simulated world behave.

All times are seconds; chances go from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.simulation.traffic import Exponential, Mixture


@dataclass(frozen=True)
class Processes:
    """What becomes of spawns and of workers that shall leave.

    :ivar spawn: the least that a spawn takes; then comes a random part with
        that mean again.
    :ivar leave: how long a worker takes to go when it was asked to.
    :ivar die: the same when it was killed.
    """

    spawn: float = 0.3
    leave: float = 0.05
    die: float = 0.005


@dataclass(frozen=True)
class Faults:
    """What goes wrong by chance, each time that something is done.

    :ivar spawn_fails: a spawn ends in an error; *innocent* of these because
        a process of the spawn server was killed.
    :ivar spawn_hangs: it takes `start_timeout`, and then fails.
    :ivar exits_early: the process ends just before it would have been ready.
    :ivar ready_all_the_same: a spawn that is cancelled succeeds before it
        hears of that.
    :ivar kills: a request kills its worker halfway.
    :ivar hangs: a request runs until it is cut off after `max_request_time`.
    :ivar impatient: a client leaves after `patience` if it still waits then.
    :ivar bad_code: a generation after the first whose spawns all fail.
    """

    spawn_fails: float = 0.0
    innocent: float = 0.5
    spawn_hangs: float = 0.0
    start_timeout: float = 10.0
    exits_early: float = 0.0
    ready_all_the_same: float = 0.0
    kills: float = 0.0
    hangs: float = 0.0
    max_request_time: float = 15.0
    grace: float = 2.0
    impatient: float = 0.0
    patience: float = 0.5
    bad_code: float = 0.0


@dataclass(frozen=True)
class Rates:
    """What happens to the world by itself, so often a second.

    The first four for each worker of a full pool, the others for each app,
    but for the last.

    :ivar killed: a worker is killed, whatever it does.
    :ivar lost: its connections break.
    :ivar detached: somebody detaches it.
    :ivar disabled: somebody disables it, and enables it a second later.
    :ivar restarted: new code of the app is deployed.
    :ivar stormed: it is deployed five times within a second.
    :ivar reconfigured: its limits change.
    :ivar replaced: it is removed, and added again under the same name.
    :ivar memory_sampled: the memory of all its workers is looked at.
    :ivar resized: the size of the pool changes.
    """

    killed: float = 0.0
    lost: float = 0.0
    detached: float = 0.0
    disabled: float = 0.0
    restarted: float = 0.0
    stormed: float = 0.0
    reconfigured: float = 0.0
    replaced: float = 0.0
    memory_sampled: float = 0.0
    resized: float = 0.0


@dataclass(frozen=True)
class Nature:
    """All of it."""

    service: Exponential | Mixture = field(default_factory=lambda: Exponential(0.1))
    processes: Processes = field(default_factory=Processes)
    faults: Faults = field(default_factory=Faults)
    rates: Rates = field(default_factory=Rates)
