"""How the workers of an app are replaced by those of new code.

Runs in: the controller.

The first worker of the new generation decides: until it is ready everything
else goes on with the old one, and if it fails the restart is given up.  Then
the others follow, oldest first.  See docs/explanation/pool-algorithm.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passtwist.pool.actions import Announce, ReleaseSpawners
from passtwist.pool.notices import (
    RestartBegan,
    RestartFailed,
    RestartFinished,
    RestartSuperseded,
    RestartSwitched,
)
from passtwist.pool.renewal import Restart
from passtwist.pool.states import AppEvent, AppState, WorkerState

if TYPE_CHECKING:
    from passtwist.pool.actions import Action
    from passtwist.pool.events import RestartRequested
    from passtwist.pool.group import Group
    from passtwist.pool.staffing import Staffing
    from passtwist.pool.upkeep import Upkeep
    from passtwist.pool.worker import Worker


class Restarts:
    """Begins restarts, and says how they go on and end."""

    def __init__(
        self,
        groups: dict[str, Group],
        staffing: Staffing,
        upkeep: Upkeep,
        outbox: list[Action],
    ) -> None:
        self._groups = groups
        self._staffing = staffing
        self._replacing = staffing.replacing
        self._replacing.restarts = self
        self._upkeep = upkeep
        self._outbox = outbox

    # --- the beginning ---------------------------------------------------------

    def requested(self, event: RestartRequested, now: float) -> None:
        """:raises KeyError: there is no such app."""
        group = self._groups[event.app]
        if self._staffing.closing:
            return
        group.renewal.asked = event.reason
        self.begin_if_due(group, now)
        self._upkeep.arm(group, now)

    def begin_if_due(self, group: Group, now: float) -> None:
        """Begin the restart that was asked for, if the last is old enough."""
        renewal = group.renewal
        reason = renewal.asked
        if reason is None:
            return
        time = renewal.next_time(self._upkeep.limits.restart_pause)
        if time is not None and now < time:
            return
        renewal.asked = None
        self._begin(group, reason, now)

    def _begin(self, group: Group, reason: str, now: float) -> None:
        renewal = group.renewal
        if renewal.restart is not None:
            self._say(RestartSuperseded(group.name, renewal.restart.generation))
        renewal.newest += 1
        renewal.began_at = now
        renewal.restart = Restart(renewal.newest, reason, now)
        self._say(RestartBegan(group.name, renewal.newest, reason))
        self._replacing.cancel_extras(group, "a newer restart began", now)
        # The new code may be the remedy.
        group.forgive()
        if group.live:
            renewal.due = {
                worker.id: worker
                for worker in group.workers.values()
                if worker.is_counted
            }
            self._upkeep.happened(group, AppEvent.RESTART_BEGAN)
        else:
            self._go_ahead(group, renewal.restart, now)
        self._replacing.touch(group)
        self._staffing.settle(group, now)

    def _go_ahead(self, group: Group, restart: Restart, now: float) -> None:
        """Nobody serves with old code, so there is nothing to fall back on."""
        self._leave_behind(group, restart, now)
        group.forgive()
        if group.state is AppState.BACKING_OFF:
            self._upkeep.happened(group, AppEvent.BACK_OFF_ENDED)

    def _leave_behind(self, group: Group, restart: Restart, now: float) -> None:
        """From now on only the new generation is started."""
        group.generation = restart.generation
        for worker in list(group.workers.values()):
            if worker.generation >= restart.generation:
                continue
            if worker.state is WorkerState.STARTING or worker.is_disabled:
                self._staffing.dismiss(worker, "it has old code", now)

    # --- how it goes on --------------------------------------------------------

    def became_ready(self, worker: Worker, now: float) -> None:
        """A worker passed all checks; it is counted already."""
        group = worker.group
        renewal = group.renewal
        if worker.generation > renewal.proven:
            renewal.proven = worker.generation
        restart = renewal.restart
        if restart is None or restart.switched:
            return
        if worker.generation == restart.generation:
            restart.switched = True
            renewal.error = None
            self._say(RestartSwitched(group.name, restart.generation))
            self._leave_behind(group, restart, now)

    def spawn_failed(self, worker: Worker, error: object, now: float) -> bool:
        """Whether that is the end of a restart, and of nothing else."""
        group = worker.group
        renewal = group.renewal
        restart = renewal.restart
        if restart is None or restart.switched:
            return False
        if worker.generation != restart.generation:
            return False
        had_choice = group.generation != restart.generation
        self._give_up(group, restart, error, now)
        if had_choice:
            renewal.error = error
        if group.live:
            self._upkeep.happened(group, AppEvent.RESTART_FAILED)
        return had_choice

    def _give_up(
        self, group: Group, restart: Restart, error: object, now: float
    ) -> None:
        renewal = group.renewal
        renewal.restart = None
        self._replacing.cancel_extras(group, "the restart was given up", now)
        # What an earlier restart has left undone goes on.
        renewal.due = {
            number: worker
            for number, worker in renewal.due.items()
            if worker.worn or worker.generation < group.generation
        }
        self._replacing.touch(group)
        self._say(RestartFailed(group.name, restart.generation, error, group.live))

    # --- the end ---------------------------------------------------------------

    def conclude(self, group: Group, now: float) -> None:
        """See whether anything is left to be replaced."""
        renewal = group.renewal
        if renewal.is_outdated(group.generation):
            return
        restart = renewal.restart
        if restart is not None and group.generation < restart.generation:
            # The last one that served is gone before the new code was ready.
            self._go_ahead(group, restart, now)
            self._staffing.settle(group, now)
        if renewal.released < group.generation:
            renewal.released = group.generation
            self._outbox.append(ReleaseSpawners(group.name, group.generation))
        if restart is None or restart is not renewal.restart:
            return
        if restart.switched or not group.starting:
            self._finish(group, restart, now)

    def _finish(self, group: Group, restart: Restart, now: float) -> None:
        group.renewal.restart = None
        group.renewal.error = None
        seconds = now - restart.began_at
        self._say(RestartFinished(group.name, restart.generation, seconds))
        if group.state is AppState.RESTARTING:
            self._upkeep.happened(group, AppEvent.RESTART_FINISHED)

    def cancel(self, group: Group, reason: str, now: float) -> None:
        """Nothing more is replaced; the app is removed or the server stops."""
        renewal = group.renewal
        renewal.asked = None
        self._replacing.cancel_extras(group, reason, now)
        restart = renewal.restart
        if restart is not None:
            self._give_up(group, restart, reason, now)
            if group.state is AppState.RESTARTING:
                bad = renewal.error is not None
                event = AppEvent.RESTART_FAILED if bad else AppEvent.RESTART_FINISHED
                self._upkeep.happened(group, event)

    def _say(
        self,
        notice: RestartBegan
        | RestartSwitched
        | RestartFinished
        | RestartFailed
        | RestartSuperseded,
    ) -> None:
        self._outbox.append(Announce(notice))
