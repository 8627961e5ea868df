"""The spawn method exec: one fresh interpreter for each worker.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import ISpawner, ISpawnMethod, ISpawnToolkit
from passtwist.api.spawners import RouteSpawner

if TYPE_CHECKING:
    from passtwist.model import AppSpec


@implementer(ISpawnMethod)
class Exec:
    """No layer between the spawn manager and a worker."""

    name = "exec"
    aliases = ()
    description = "a fresh interpreter for each worker (an example)"

    def create_spawner(self, app: AppSpec, toolkit: ISpawnToolkit) -> ISpawner:
        """As `ISpawnMethod.create_spawner`."""
        return RouteSpawner(app, toolkit, self.name, route=())


@hookimpl
def passtwist_spawn_methods() -> list[ISpawnMethod]:
    """One spawn method."""
    return [Exec()]
