"""`passtwist check`: everything that is wrong with a settings file, at once.

Runs in: the command.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from passtwist.api.registry import Registry
from passtwist.api.resolve import resolve
from passtwist.api.settings import DEFAULT_FILE, Settings, load_file
from passtwist.cli.options import failure
from passtwist.errors import DetectionError, PluginError, SettingsError

if TYPE_CHECKING:
    from passtwist.api.settings_server import ServerSettings

_PLAIN = re.compile(r"tcp:[0-9]{1,4}(?::interface=[0-9.]+)?")


@click.command()
@click.argument("file", default=DEFAULT_FILE, metavar="[FILE]")
def check(file: str) -> None:
    """Check FILE (passtwist.toml) and the apps that it names.

    Prints all problems and warnings; exit status 1 if there is a problem.
    Starts nothing.
    """
    try:
        settings = load_file(file)
        registry = Registry.load(settings.server.plugin_files)
    except (SettingsError, PluginError) as error:
        raise failure(error) from None
    problems = _report(settings, registry)
    for warning in settings.warnings():
        click.echo(f"warning: {warning}")
    mistakes = _mistakes(settings.server, registry)
    for mistake in mistakes:
        click.echo(f"problem: {mistake}")
    if problems:
        raise failure(f"{problems} of {len(settings.apps)} apps can't be started")
    if mistakes:
        raise failure("the server can't be started")
    click.echo(f"{file}: no problems")


def _mistakes(server: ServerSettings, registry: Registry) -> list[str]:
    """What is wrong with the server's own; as far as who checks may look."""
    found = []
    try:
        registry.error_page(server.error_pages)
    except SettingsError as error:
        found += error.problems
    except PluginError as error:
        found.append(str(error))
    # It imports Twisted; a plain port is right by its shape.
    if server.spool_dir or not all(map(_PLAIN.fullmatch, server.listen)):
        from passtwist import assembly

        found += assembly.mistakes_of_server(server)
    return found


def _report(settings: Settings, registry: Registry) -> int:
    """Print a line for each app; how many can't be started."""
    problems = 0
    for app in settings.apps:
        try:
            spec = resolve(app, settings.server, registry).spec
        except (DetectionError, PluginError) as error:
            problems += 1
            click.echo(f"problem: {error}")
        else:
            click.echo(
                f"app {app.name}: {spec.framework} at {app.base_uri}, "
                f"entry {spec.entry}, {spec.python}"
            )
    return problems
