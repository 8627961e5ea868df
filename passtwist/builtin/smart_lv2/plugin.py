"""The spawn method smart-lv2: fork from an app spawner.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from passtwist.api.hookspecs import hookimpl
from passtwist.api.interfaces import ISpawner, ISpawnMethod, ISpawnToolkit
from passtwist.api.spawners import SMART_LV2, smart_lv2_spawner

if TYPE_CHECKING:
    from passtwist.model import AppSpec


@implementer(ISpawnMethod)
class SmartLv2:
    """Workers of one app share the app; nothing is shared between apps."""

    name = SMART_LV2
    aliases = ()
    description = "fork workers from the loaded app"

    def create_spawner(self, app: AppSpec, toolkit: ISpawnToolkit) -> ISpawner:
        """As `ISpawnMethod.create_spawner`."""
        return smart_lv2_spawner(app, toolkit)


@hookimpl
def passtwist_spawn_methods() -> list[ISpawnMethod]:
    """One spawn method."""
    return [SmartLv2()]
