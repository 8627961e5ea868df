"""Which process holds a spawn and does nothing with it.

Runs in: the controller.

`start_timeout` is there for apps that take long to load.  Passing a spawn on and
forking take milliseconds, so a layer that has done it before and is silent for
seconds hangs: it was stopped, or waits for a lock in a fork handler.  It is ended,
and whoever waits for the spawn need not wait for `start_timeout`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from passtwist.errors import SpawnError
from passtwist.model import APP, FRAMEWORK, MANAGER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twisted.internet.interfaces import IDelayedCall

    from passtwist.model import SpawnRequest, Step
    from passtwist.spawning.attempt import Ground
    from passtwist.spawning.handshake import Handshake
    from passtwist.spawning.journey import Journey
    from passtwist.spawning.manager import SpawnManager
    from passtwist.spawning.spawners import SpawnerProcess

# How long a layer may be silent that has nothing to load; but never so long that
# no time is left for another attempt.
SILENCE = 10.0  # seconds
PART_OF_TIMEOUT = 0.25

_FORKING = {FRAMEWORK: "find_app_spawner", APP: "fork_worker"}


class SpawnerHung(SpawnError):
    """A spawner did not fork; it has been ended."""


@dataclass(frozen=True)
class Holder:
    """A layer that holds a spawn.

    :ivar who: it, for a sentence.
    :ivar kill: ends it.
    :ivar is_spawner: it is no manager.
    """

    who: str
    kill: Callable[[], None]
    is_spawner: bool


def patience_for(request: SpawnRequest) -> float:
    """Seconds of silence after which a layer hangs."""
    return min(SILENCE, PART_OF_TIMEOUT * request.app.start_timeout)


def holder_of(
    step: Step | None,
    request: SpawnRequest,
    manager: SpawnManager,
    spawners: Iterable[SpawnerProcess],
) -> Holder | None:
    """Who should have gone on after *step*; None when that may take its time."""
    if step is None:
        pid = manager.pid
        return Holder(f"spawn manager {pid}", manager.kill, False) if pid else None
    kind = _kind_after(step)
    for process in spawners:
        if process.kind == kind and process.has_forked and process.is_for(request):
            return Holder(f"{kind} spawner {process.pid}", process.kill, True)
    return None


def _kind_after(step: Step) -> str:
    """The kind of layer whose turn it is, or ''."""
    if _FORKING.get(step.who) == step.name:
        handed_on = step.who == FRAMEWORK and step.state == "done"
        return APP if handed_on else step.who
    if step.who == MANAGER and step.state == "done":
        return {"find_framework_spawner": FRAMEWORK, "find_app_spawner": APP}.get(
            step.name, ""
        )
    return ""


class HangWatch:
    """Ends a layer that holds one spawn for too long.

    :param on_hang: called once, when that has happened.
    """

    def __init__(
        self,
        ground: Ground,
        request: SpawnRequest,
        journey: Journey,
        on_hang: Callable[[Holder], None],
    ) -> None:
        self._ground = ground
        self._request = request
        self._journey = journey
        self._on_hang = on_hang
        self._handshake: Handshake | None = None
        self._records = 0
        self._timer: IDelayedCall | None = None

    def start(self, handshake: Handshake) -> None:
        """The spawn was sent down; its records come by *handshake*."""
        self._handshake = handshake
        self._arm()

    def heard(self) -> None:
        """Somebody said something."""
        self._records += 1

    def stop(self) -> None:
        """The worker is there, or the spawn has ended."""
        self._handshake = None
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _arm(self) -> None:
        patience = patience_for(self._request)
        self._timer = self._ground.reactor.callLater(
            patience, self._look, self._records
        )

    def _look(self, records: int) -> None:
        if self._handshake is not None:
            # We may have been away ourselves, with all that came unread.
            self._handshake.doRead()
        if self._handshake is None:
            return
        ground = self._ground
        holder = None
        if records == self._records:
            step, spawners = self._journey.last(), ground.spawner_processes
            holder = holder_of(step, self._request, ground.manager, spawners)
        if holder is None:
            self._arm()
            return
        holder.kill()
        self._on_hang(holder)
