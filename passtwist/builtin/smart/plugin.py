"""The spawn method smart: fork from an app spawner, that from a framework spawner.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import ISpawner, ISpawnMethod, ISpawnToolkit
from passtwist.api.spawners import SMART, smart_spawner

if TYPE_CHECKING:
    from passtwist.model import AppSpec


@implementer(ISpawnMethod)
class Smart:
    """Apps of one framework share it, workers of one app share the app."""

    name = SMART
    aliases = ()
    description = "fork workers from the loaded app, and that from its framework"

    def create_spawner(self, app: AppSpec, toolkit: ISpawnToolkit) -> ISpawner:
        """As `ISpawnMethod.create_spawner`."""
        return smart_spawner(app, toolkit)


@hookimpl
def passtwist_spawn_methods() -> list[ISpawnMethod]:
    """One spawn method."""
    return [Smart()]
