"""What a server consists of, as the assembly hands it to the service.

Runs in: the controller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from passtwist.api.front_end import IFrontEnd
    from passtwist.api.interfaces import ISpawnServer
    from passtwist.api.reactors import Reactor
    from passtwist.service.apps import App
    from passtwist.service.driver import Driver
    from passtwist.service.listening.listeners import Listeners
    from passtwist.service.logs import Logs
    from passtwist.service.memory import MemorySampler
    from passtwist.service.notifications import Notifications
    from passtwist.service.sessions.gateway import Gateway
    from passtwist.service.status import Status
    from passtwist.service.triggers import Triggers


class IsRuntimeDir(Protocol):
    """The runtime directory."""

    @property
    def admin_path(self) -> str:
        """Where the admin socket goes."""

    def hand_over(self, uid: int, gid: int) -> None:
        """Make it, as root, for another user; raises StartupError."""

    def acquire(self) -> None:
        """Make, lock and sweep it; raises StartupError."""

    def release(self) -> None:
        """Empty and unlock it."""


class IsLog(Protocol):
    """The access log."""

    @property
    def dropped(self) -> int:
        """Lines that are lost."""

    def open(self) -> None:
        """Open its file; raises StartupError."""

    def reopen(self) -> None:
        """Its file was moved away."""

    def take_over(self, other: Any) -> None:
        """Go on where and how *other*, an open one of its kind, would write."""

    def close(self) -> None:
        """Write what is left."""


class IsAdmin(Protocol):
    """The admin server."""

    def start(self, path: str) -> None:
        """Listen."""

    def stop(self) -> None:
        """Listen no more."""


class IsWatch(Protocol):
    """What looks at the workers from time to time."""

    def start(self) -> None:
        """Begin to look."""

    def stop(self) -> Deferred[None]:
        """Cease; fires when nothing of it goes on."""


@dataclass(frozen=True)
class Parts:
    """The objects of one server, not started yet."""

    reactor: Reactor
    listeners: Listeners
    front_end: IFrontEnd
    access_log: IsLog
    logs: Logs
    gateway: Gateway
    driver: Driver
    apps: dict[str, App]
    spawn_server: ISpawnServer
    runtime: IsRuntimeDir
    admin: IsAdmin
    memory: MemorySampler
    watches: tuple[IsWatch, ...]
    status: Status
    triggers: Triggers
    notifications: Notifications
