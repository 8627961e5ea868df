"""`passtwist explain`: what a folder is taken for, and why.

Runs in: the command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from passtwist.api.flags import settings_from_flags
from passtwist.api.registry import Registry
from passtwist.api.resolve import resolve
from passtwist.api.spawners import preview
from passtwist.cli.options import (
    DETECTION,
    PLUGINS,
    by_flag,
    failure,
    setting_options,
)
from passtwist.errors import PasstwistError

if TYPE_CHECKING:
    from passtwist.api.resolve import Resolved
    from passtwist.model import AppSpec


@click.command()
@click.argument("folder", metavar="APP_DIR")
@setting_options(*DETECTION, *PLUGINS)
def explain(folder: str, **values: object) -> None:
    """Show what APP_DIR is taken for and why.

    Only names of files are looked at, and words in them; nothing is run.
    """
    try:
        settings = settings_from_flags(by_flag(values), [folder])
        registry = Registry.load(settings.server.plugin_files)
        resolved = resolve(settings.apps[0], settings.server, registry)
    except PasstwistError as error:
        raise failure(error) from None
    for name, value, reason in rows(resolved):
        click.echo(f"{name + ':':<15}{value}")
        if reason:
            click.echo(f"{'':<15}  ({reason})")


def rows(resolved: Resolved) -> list[tuple[str, str, str]]:
    """Name, value and reason of each thing that was decided."""
    spec, why = resolved.spec, resolved.explanation
    spawner = preview(resolved.method, spec)
    asked = resolved.method.name
    how = f"{asked} was asked for" if asked != spawner.method else ""
    reason = "; ".join(text for text in (how, spawner.reason) if text)
    key = " | ".join(spec.framework_key) or "none"
    return [
        ("app", spec.name, ""),
        ("root", spec.root, ""),
        ("framework", spec.framework, "; ".join(why.framework_reasons)),
        ("entry", spec.entry, why.entry_reason),
        ("interpreter", spec.python, why.python_reason),
        ("spawn method", spawner.method, reason),
        ("framework key", key, why.framework_key_reason),
        ("environment", spec.environment, f"sets {', '.join(why.variables)}"),
        *_who(spec, why.user_reason),
    ]


def _who(spec: AppSpec, reason: str) -> list[tuple[str, str, str]]:
    """The user, when users are switched."""
    if spec.uid < 0:
        return []
    return [("user", f"{spec.user} (uid {spec.uid}, gid {spec.gid})", reason)]
