"""Where plugins come from: installed distributions and single files.

Runs in: the controller and the command.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from passtwist.api.hookspecs import PROJECT
from passtwist.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ENTRY_POINT_GROUP = PROJECT


@dataclass(frozen=True)
class Source:
    """One plugin that can be loaded.

    :ivar name: under which it is registered.
    :ivar origin: its distribution with version, or its file.
    :ivar load: answers the plugin: a module, or an object with hooks.
    """

    name: str
    origin: str
    load: Callable[[], object]


def installed(block: Sequence[str] = ()) -> list[Source]:
    """The plugins of installed distributions, in order of their names.

    pluggy's own loader silently skips a second entry point of a known name.

    :param block: names to leave out.
    :raises PluginError: two entry points have one name.
    """
    found: dict[str, Source] = {}
    for entry in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        if entry.name in block:
            continue
        dist = entry.dist
        origin = f"{dist.name} {dist.version}" if dist else entry.value
        other = found.get(entry.name)
        if other is not None:
            raise PluginError(
                entry.name,
                origin,
                "entry point",
                f"{other.origin} has a plugin of the same name; remove one or set "
                f"PASSTWIST_BLOCK_PLUGINS={entry.name}",
            )
        found[entry.name] = Source(entry.name, origin, entry.load)
    return [found[name] for name in sorted(found)]


def from_file(path: str) -> Source:
    """The plugin that is one Python file."""
    name = os.path.splitext(os.path.basename(path))[0]
    return Source(name, path, lambda: _load_file(name, path))


def _load_file(name: str, path: str) -> object:
    """Import *path* as a module that can't shadow any other."""
    spec = importlib.util.spec_from_file_location(f"passtwist_plugin_{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickles of the plugin look their module up by name.
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module
