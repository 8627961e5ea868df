"""The invariants notice what is wrong: each is broken once, on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from passtwist.pool import AppState, Pool, WorkerState
from passtwist.pool.invariants import BrokenInvariant, check
from passtwist.pool.renewal import Restart
from passtwist.pool.room import Need

if TYPE_CHECKING:
    from collections.abc import Callable

# Each is done to a pool with app "shop": worker 1 busy, worker 2 idle, at time 0.
DAMAGES: dict[str, Callable[[Pool], object]] = {
    "worker 1 is gone": lambda p: setattr(p._workers[1], "state", WorkerState.GONE),
    "worker 2 is unknown": lambda p: p._groups["shop"].workers.pop(2),
    "worker 2 is .* with 1 sessions": lambda p: setattr(p._workers[2], "sessions", 1),
    "more than it can carry": lambda p: setattr(p._workers[1], "sessions", 2),
    "in idle: False": lambda p: p._groups["shop"].idle.clear(),
    "says 3": lambda p: setattr(p._groups["shop"], "live", 3),
    "has 0 starting, says 1": lambda p: setattr(p._groups["shop"], "starting", 1),
    "AppState.STOPPED": lambda p: setattr(p._groups["shop"], "state", AppState.STOPPED),
    "workers .2. have room": lambda p: p._groups["shop"].queue.join("t", 0.0),
    "offers set": lambda p: p._groups["shop"].router.take(),
    "capacity says 9": lambda p: setattr(p._staffing.capacity, "used", 9),
    "not 5": lambda p: setattr(p._staffing.capacity, "starting", 5),
    "longest idle of all": lambda p: p._staffing.idle.listed.clear(),
    "longest idle of surplus": lambda p: p._staffing.surplus.listed.clear(),
    "stands as": lambda p: p._line.homeless.update({p._groups["shop"]: 0.0}),
    "stands in line as": lambda p: setattr(p._groups["shop"], "floor", 3),
    "needs None": lambda p: p._line.place(p._groups["shop"], Need.HOMELESS, 0.0),
    "nothing will retire worker 2": lambda p: p._alarms.disarm(None),
    "worker 2 is good, and due": lambda p: p._groups["shop"].renewal.due.update(
        {2: p._workers[2]}
    ),
    "forgot to replace .2.": lambda p: setattr(p._workers[2], "worn", "out"),
    "has extras .2.": lambda p: setattr(p._workers[2], "is_extra", True),
    "0 extras, not 9": lambda p: setattr(p._staffing.capacity, "replacing", 9),
    "ahead of its time": lambda p: setattr(p._groups["shop"].renewal, "newest", -1),
    "is ready in a restart": lambda p: setattr(
        p._groups["shop"].renewal, "restart", Restart(0, "damage", 0.0)
    ),
    "after a failed restart": lambda p: setattr(
        p._groups["shop"].renewal, "error", "boom"
    ),
    "nothing will wake shop": lambda p: setattr(p._groups["shop"], "restore_at", 5.0),
}


@pytest.mark.parametrize(("sentence", "damage"), DAMAGES.items(), ids=list(DAMAGES))
def test_damage_is_noticed_and_named(make_scene, sentence, damage):
    """A pool that is whole passes, a damaged one does not."""
    scene = make_scene()
    scene.add("shop")
    scene.hire("shop", 2)
    assert scene.ask("t1") == 1
    damage(scene.pool)
    with pytest.raises(BrokenInvariant, match=sentence):
        check(scene.pool, scene.now)
