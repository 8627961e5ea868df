"""What a server consists of, as the assembly hands it to the service.

Runs in: the controller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from passtwist.api.interfaces import IFrontEnd, ISpawnServer
    from passtwist.api.reactors import Reactor
    from passtwist.service.apps import App
    from passtwist.service.driver import Driver
    from passtwist.service.gateway import Gateway
    from passtwist.service.listeners import Listeners
    from passtwist.service.memory import MemorySampler
    from passtwist.service.status import Status


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

    def open(self) -> None:
        """Open its file; raises StartupError."""

    def reopen(self) -> None:
        """Its file was moved away."""

    def close(self) -> None:
        """Write what is left."""


class IsAdmin(Protocol):
    """The admin server."""

    def start(self, path: str) -> None:
        """Listen."""

    def stop(self) -> None:
        """Listen no more."""


@dataclass(frozen=True)
class Parts:
    """The objects of one server, not started yet."""

    reactor: Reactor
    listeners: Listeners
    front_end: IFrontEnd
    access_log: IsLog
    gateway: Gateway
    driver: Driver
    apps: dict[str, App]
    spawn_server: ISpawnServer
    runtime: IsRuntimeDir
    admin: IsAdmin
    memory: MemorySampler
    status: Status
