"""From an app's settings to what its processes need to know.

Runs in: the controller and the command.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from passtwist.api.accounts import Owner, Wish, choose
from passtwist.api.detection import AppFiles
from passtwist.api.interpreters import (
    changes_start,
    framework_place,
    interpreter_for,
)
from passtwist.api.providers import child_file_name
from passtwist.api.recognise import app_error, check_root, recognise
from passtwist.api.settings_declare import in_effect
from passtwist.api.settings_kinds import quoted
from passtwist.api.settings_load import suggestion
from passtwist.api.standing import Standing
from passtwist.errors import DetectionError
from passtwist.model import AppSpec

if TYPE_CHECKING:
    from passtwist.api.accounts import Identity
    from passtwist.api.detection import Detection
    from passtwist.api.interfaces import IFramework, ISpawnMethod
    from passtwist.api.registry import Registry
    from passtwist.api.settings_app import AppSettings
    from passtwist.api.settings_server import ServerSettings

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_DOTTED = rf"{_NAME}(?:\.{_NAME})*"
_ENTRY = re.compile(rf"(?:{_DOTTED}|[^:\x00-\x1f]+\.py):{_DOTTED}(?:\(\))?")


@dataclass(frozen=True)
class Explanation:
    """What was found and why; each reason is a short sentence.

    :ivar variables: names of the environment variables that the app's
        processes get; values may be secrets.
    """

    framework_reasons: tuple[str, ...]
    entry_reason: str
    python_reason: str
    framework_key_reason: str
    variables: tuple[str, ...]
    user_reason: str = ""


@dataclass(frozen=True)
class Resolved:
    """An app that can be started.

    :ivar method: the spawn method asked for; its spawner may choose another.
    :ivar notes: settings that were not followed, one sentence each.
    """

    spec: AppSpec
    method: ISpawnMethod
    explanation: Explanation
    notes: tuple[str, ...] = ()


def resolve(
    app: AppSettings,
    server: ServerSettings,
    registry: Registry,
    standing: Standing | None = None,
) -> Resolved:
    """Find out what *app* is, how to run it and as whom.

    Nothing of the app is imported, parsed or executed.

    :param standing: what the server's user may do; None for this process's.
    :raises DetectionError: the app can't be started as it is; names the place
        and the remedy.
    :raises PluginError: a plugin failed.
    """
    check_root(app)
    method = _spawn_method(app, registry)
    framework, found = recognise(app, registry)
    entry = _entry(app, found)
    try:
        python, python_reason = interpreter_for(app.root, app.python)
    except DetectionError as error:
        raise app_error(app, str(error)) from None
    standing = standing or Standing.current()
    identity = _identity(app, server, found.startup_file, standing)
    user = identity.user.name if identity else standing.account.user
    key, key_reason = _framework_key(app, framework, python, user)
    spec = replace(
        _with_identity(_spec(app, server), identity),
        framework=framework.name,
        child=child_file_name(framework.name),
        entry=entry,
        python=python,
        options=dict(found.options),
        framework_key=key,
    )
    variables = {**registry.spawn_environment(spec), **dict(app.env)}
    spec = replace(spec, env=tuple(sorted(variables.items())))
    explanation = Explanation(
        framework_reasons=found.reasons,
        entry_reason="entry is set" if app.entry else f"from {found.startup_file}",
        python_reason=python_reason,
        framework_key_reason=key_reason,
        variables=tuple(sorted(variables)),
        user_reason=identity.reason if identity else "",
    )
    return Resolved(spec, method, explanation, identity.notes if identity else ())


def _spawn_method(app: AppSettings, registry: Registry) -> ISpawnMethod:
    method = registry.spawn_method(app.spawn_method)
    if method is not None:
        return method
    hint = suggestion(app.spawn_method, registry.spawn_method_names)
    raise app_error(app, f"spawn_method: no plugin has {app.spawn_method!r}{hint}")


def _entry(app: AppSettings, found: Detection) -> str:
    entry = app.entry or found.entry
    if _ENTRY.fullmatch(entry):
        return entry
    raise app_error(
        app,
        f"entry: {quoted(entry)} is not understood; write "
        '"package.module:application", "package:create_app()" or '
        '"folder/file.py:application"',
    )


def _spec(app: AppSettings, server: ServerSettings) -> AppSpec:
    """What the settings alone say."""
    return AppSpec(
        name=app.name,
        root=app.root,
        environment=app.environment or server.environment,
        base_uri=app.base_uri,
        threads=in_effect(app, "threads"),
        umask=in_effect(app, "umask"),
        warmup=in_effect(app, "warmup"),
        freeze=in_effect(app, "freeze"),
        fork_allow=in_effect(app, "fork_allow"),
        start_timeout=in_effect(app, "start_timeout"),
        limits=in_effect(app, "limits"),
        no_new_privileges=in_effect(app, "no_new_privileges"),
        log_file=in_effect(app, "log_file"),
        spawner_max_age=in_effect(app, "spawner_max_age"),
    )


def _identity(
    app: AppSettings, server: ServerSettings, startup_file: str, standing: Standing
) -> Identity | None:
    """Whom it runs as; None when users are not switched."""
    if not standing.switches_users:
        return None
    files = AppFiles(app.root)
    folder = files.owner()
    if folder is None:
        raise app_error(app, "root is gone")
    places = [*_places(app.entry), startup_file] if app.entry else [startup_file]
    found = (files.owner(place) for place in places if place)
    file = next((owner for owner in found if owner is not None), folder)
    wish = Wish(app.user, app.group, server.default_user)
    try:
        return choose(wish, Owner(file.uid, file.gid, folder.uid), standing.accounts)
    except DetectionError as error:
        raise app_error(app, str(error)) from None


def _places(entry: str) -> tuple[str, ...]:
    """Where in the root the code that an entry names could be."""
    module = entry.partition(":")[0]
    if module.endswith(".py"):
        return (module,)
    path = module.replace(".", "/")
    return (f"{path}.py", f"{path}/__init__.py")


def _with_identity(spec: AppSpec, identity: Identity | None) -> AppSpec:
    if identity is None:
        return spec
    user = identity.user
    return replace(
        spec,
        user=user.name,
        uid=user.uid,
        gid=identity.gid,
        groups=identity.groups,
        home=user.home,
        shell=user.shell,
    )


def _framework_key(
    app: AppSettings, framework: IFramework, python: str, user: str
) -> tuple[tuple[str, ...], str]:
    """What apps must share to share a framework spawner, and why it is so."""
    distribution = framework.distribution
    if not distribution:
        return (), f"{framework.name} has no framework layer"
    variable = changes_start(dict(app.env))
    if variable:
        return (), f"env sets {variable}, which an interpreter reads as it starts"
    for name in {framework.name, distribution.lower().replace("-", "_")}:
        for file in (name, f"{name}.py"):
            # A module of that name in the root would be imported in place of
            # the framework.
            if os.path.lexists(os.path.join(app.root, file)):
                return (), f"the app's folder holds a {file} of its own"
    place = framework_place(python, distribution)
    if place is None:
        return (
            (),
            f"no {distribution} was found among the packages of {python}",
        )
    version, folder = place
    key = (user, python, framework.name, version, folder)
    return key, f"{distribution} {version} is in {folder}"
