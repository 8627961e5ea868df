"""The spawn method conservative: a fresh interpreter for each worker.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import ISpawner, ISpawnMethod, ISpawnToolkit
from passtwist.api.spawners import CONSERVATIVE, conservative_spawner

if TYPE_CHECKING:
    from passtwist.model import AppSpec


@implementer(ISpawnMethod)
class Conservative:
    """Nothing is shared and nothing is forked: works with every app."""

    name = CONSERVATIVE
    aliases = ("direct",)
    description = "a fresh interpreter for each worker; works with every app"

    def create_spawner(self, app: AppSpec, toolkit: ISpawnToolkit) -> ISpawner:
        """As `ISpawnMethod.create_spawner`."""
        return conservative_spawner(app, toolkit)


@hookimpl
def passtwist_spawn_methods() -> list[ISpawnMethod]:
    """One spawn method."""
    return [Conservative()]
