"""Apps of a test: what the controller would find out of their folders.

Runs in: tests.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from passtwist.api.registry import Registry
from passtwist.api.resolve import resolve
from passtwist.api.settings import for_folders

if TYPE_CHECKING:
    from pathlib import Path

    from passtwist.api.resolve import Resolved

# The setting default_user.  Folders of tests are their user's, and maybe our
# interpreter too: where that is root, apps have to be root's as well.
OWN_USER = "root" if os.geteuid() == 0 else ""


def load_plugins(plugin_file: str = "") -> Registry:
    """What the installed plugins provide, and *plugin_file* if there is one.

    :raises PluginError: as `Registry.load`.
    """
    return Registry.load([plugin_file] if plugin_file else [])


def resolved_folder(folder: Path, registry: Registry, **keys: object) -> Resolved:
    """The app in *folder*, as a server that is given the folder would run it.

    :param keys: settings of the app, as in ``passtwist.toml``.
    :raises DetectionError: as `resolve`.
    """
    if OWN_USER:
        keys.setdefault("default_user", OWN_USER)
    settings = for_folders([str(folder)], keys, environ={})
    return resolve(settings.apps[0], settings.server, registry)
