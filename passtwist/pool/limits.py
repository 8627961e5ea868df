"""What the pool as a whole may do.

Runs in: the controller.  Limits of one app: `passtwist.model.Limits`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Limits over all apps; times in seconds.

    :ivar max_pool_size: workers that start or serve, over all apps.  Those
        that drain or stop are not counted.
    :ivar pool_idle_time: how long a worker above its app's minimum may be
        idle; 0 for ever.
    :ivar spawn_concurrency: spawns under way at a time, over all apps.
    :ivar spawner_idle_time: how long the spawners of an app are kept after
        its last worker is gone; 0 for ever.
    :ivar fair_turn: how long a worker that has more to do keeps its place
        against an app that has requests and no worker at all, and an idle one
        against an app that has workers and wants more.
    :ivar spare_pause: how long after one was taken, or a worker was started for
        somebody who waits, missing spares are looked for.
    :ivar restart_pause: between the beginnings of two restarts of an app, at
        least.
    :ivar first_back_off: the wait after the first failed spawn of an app.
    :ivar longest_back_off: the wait doubles with each failure up to this.
    """

    max_pool_size: int = 6
    pool_idle_time: float = 300.0
    spawn_concurrency: int = 8
    spawner_idle_time: float = 1800.0
    fair_turn: float = 1.0
    spare_pause: float = 3.0
    restart_pause: float = 1.0
    first_back_off: float = 0.1
    longest_back_off: float = 30.0

    def __post_init__(self) -> None:
        if self.max_pool_size < 1 or self.spawn_concurrency < 1:
            raise ValueError("a pool holds at least one worker and starts it")
