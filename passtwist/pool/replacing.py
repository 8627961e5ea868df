"""One worker takes the place of another: first it is ready, then that one leaves.

Runs in: the controller.

While it starts it is an *extra*: it counts against no limit of the pool or the
app, as those that drain don't, so a full pool can be renewed.  Extras have a
limit of their own over all apps, and apps wait for it in turn.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from passtwist.pool.actions import Announce
from passtwist.pool.notices import WorkerRecycled

if TYPE_CHECKING:
    from passtwist.pool.actions import Action
    from passtwist.pool.group import Group
    from passtwist.pool.restarts import Restarts
    from passtwist.pool.staffing import Staffing
    from passtwist.pool.worker import Worker


class Replacing:
    """Keeps as many extras under way as there should be.

    :ivar waiting: apps that want one more extra than there is room for.
    :ivar touched: apps in which something changed that may matter here.
    """

    restarts: Restarts

    def __init__(self, staffing: Staffing, outbox: list[Action]) -> None:
        self.waiting: OrderedDict[Group, None] = OrderedDict()
        self._staffing = staffing
        self._outbox = outbox
        # Ordered, so that the same events have the same consequences.
        self.touched: OrderedDict[Group, None] = OrderedDict()

    def touch(self, group: Group) -> None:
        """Look at *group* when all is settled."""
        self.touched[group] = None

    def settle(self, now: float) -> None:
        """Start and end extras as the changes since the last time ask for."""
        while self.touched:
            group, _ = self.touched.popitem(last=False)
            self._advance(group, now)
        while self.waiting and self._staffing.capacity.may_replace:
            group, _ = self.waiting.popitem(last=False)
            if self.lacks(group, now):
                self._staffing.hiring.start_extra(group, now)
            if self.lacks(group, now):
                self.waiting[group] = None

    def lacks(self, group: Group, now: float) -> bool:
        """Whether *group* should start one more extra now.

        The first worker of new code comes alone; if the code is bad, one is
        enough to find out.  Worn workers are replaced one at a time.
        """
        renewal = group.renewal
        under_way = len(renewal.extras)
        if under_way >= len(renewal.due) or self._staffing.closing:
            return False
        if renewal.awaits_proof:
            return under_way == 0
        if group.back_off.is_active(now):
            return False
        if renewal.is_outdated(group.generation):
            return under_way < group.limits.restart_parallelism
        return under_way == 0

    def relieve(self, newcomer: Worker, now: float) -> None:
        """An extra is ready: let the one leave whose place it takes."""
        renewal = newcomer.group.renewal
        for worker in renewal.due.values():
            if worker.takes_sessions:
                break
        else:
            return
        restart = renewal.restart
        if restart is not None and worker.generation < restart.generation:
            restart.replaced += 1
        elif worker.worn:
            notice = WorkerRecycled(worker.group.name, worker.id, worker.worn)
            self._outbox.append(Announce(notice))
        reason = worker.worn or f"worker {newcomer.id} takes its place"
        self._staffing.dismiss(worker, reason, now)

    def is_back(self, worker: Worker) -> None:
        """*worker* was disabled, and counts again."""
        group = worker.group
        renewal = group.renewal
        if worker.worn or worker.generation < renewal.wanted(group.generation):
            # It may be older than others that are due.
            renewal.due[worker.id] = worker
            renewal.due = dict(sorted(renewal.due.items()))
            self.touch(group)

    def cancel_extras(self, group: Group, reason: str, now: float) -> None:
        for worker in list(group.renewal.extras.values()):
            self._staffing.dismiss(worker, reason, now)

    def _advance(self, group: Group, now: float) -> None:
        renewal = group.renewal
        if not group.is_removed and not self._staffing.closing:
            self.restarts.conclude(group, now)
        most = min(len(renewal.due), group.limits.restart_parallelism)
        while len(renewal.extras) > most:
            youngest = renewal.extras[max(renewal.extras)]
            self._staffing.dismiss(youngest, "nobody is left to be replaced", now)
        if not self.lacks(group, now):
            self.waiting.pop(group, None)
        elif group not in self.waiting:
            self.waiting[group] = None
