"""Which framework an app is of.

Runs in: the controller, maybe as root, and the command.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from passtwist.api.detection import AppFiles, Detection
from passtwist.api.plugins import cause_of
from passtwist.api.settings_kinds import quoted
from passtwist.api.settings_load import suggestion
from passtwist.api.settings_rules import Account
from passtwist.errors import DetectionError
from passtwist.model import AppSpec

if TYPE_CHECKING:
    from passtwist.api.interfaces import IFramework
    from passtwist.api.registry import Registry
    from passtwist.api.settings_app import AppSettings

AUTO = "auto"
# What loads an entry that was set for a folder that no framework knows.
FALLBACK = AppSpec.framework


def app_error(app: AppSettings, text: str) -> DetectionError:
    """What is wrong with one app, by name and place."""
    root = app.root if app.root.isprintable() else quoted(app.root)
    return DetectionError(f"app {app.name} in {root}: {text}")


def check_root(app: AppSettings) -> None:
    """See that there is a folder to look into.

    :raises DetectionError: there is none.
    """
    if not os.path.exists(app.root):
        raise app_error(app, "root does not exist; make the folder or correct root")
    if not os.path.isdir(app.root):
        raise app_error(app, "root is no folder; set it to the folder of the app")
    if not os.access(app.root, os.R_OK | os.X_OK):
        user = Account.current().user
        raise app_error(app, f"root can't be read by user {user!r}; give it access")


def recognise(app: AppSettings, registry: Registry) -> tuple[IFramework, Detection]:
    """The app's framework and what it has found.

    The setting ``framework`` decides; else the first framework that detects
    the app has it, and one that says "mine, and broken" ends the search.

    :raises DetectionError: none has it, or it can't tell what to load.
    :raises PluginError: a framework plugin failed.
    """
    if app.framework != AUTO:
        return _as_set(app, registry)
    files = AppFiles(app.root)
    for framework in registry.frameworks:
        try:
            found = _ask(app, framework, files, registry)
        except DetectionError as error:
            # The folder is this framework's, only the entry is not clear.
            if not app.entry:
                raise app_error(app, str(error)) from None
            found = Detection(app.entry, "", (str(error),))
        if found is not None:
            return framework, found
    fallback = registry.framework(FALLBACK)
    if app.entry and fallback is not None:
        reason = f"no framework knows the folder; entry is set, so {FALLBACK} loads it"
        return fallback, Detection(app.entry, "", (reason,))
    asked = ", ".join(framework.name for framework in registry.frameworks)
    looked = "; ".join(framework.description for framework in registry.frameworks)
    raise app_error(
        app,
        f"nothing was detected; looked for {asked or 'nothing: no plugins'} "
        f"({looked}). Set entry, for example to "
        '"package.module:application", or add a passenger_wsgi.py that defines '
        "application",
    )


def _as_set(app: AppSettings, registry: Registry) -> tuple[IFramework, Detection]:
    framework = registry.framework(app.framework)
    if framework is None:
        names = [one.name for one in registry.frameworks]
        hint = suggestion(app.framework, names)
        raise app_error(
            app,
            f"framework: no plugin has {app.framework!r}{hint}; known are "
            f"{', '.join(sorted(names))} and auto",
        )
    said = f'framework = "{framework.name}" is set'
    try:
        found = _ask(app, framework, AppFiles(app.root), registry)
    except DetectionError as error:
        if not app.entry:
            raise app_error(app, str(error)) from None
        found = None
    if found is not None:
        return framework, replace(found, reasons=(said, *found.reasons))
    if app.entry:
        return framework, Detection(app.entry, "", (said,))
    raise app_error(
        app,
        f"{said}, but nothing of it was found in the folder "
        f"({framework.description}); set entry as well",
    )


def _ask(
    app: AppSettings, framework: IFramework, files: AppFiles, registry: Registry
) -> Detection | None:
    try:
        return framework.detect(files)
    except DetectionError:
        raise
    except Exception as error:
        text = f"detect {cause_of(error)} for app {app.name}"
        raise registry.fault_of("framework", framework.name, text) from error
