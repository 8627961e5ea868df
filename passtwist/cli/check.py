"""`passtwist check`: everything that is wrong with a settings file, at once.

Runs in: the command.
"""

from __future__ import annotations

import re

import click

from passtwist.api.registry import Registry
from passtwist.api.resolve import resolve
from passtwist.api.settings import DEFAULT_FILE, Settings, load_file
from passtwist.cli.options import failure
from passtwist.errors import DetectionError, PluginError, SettingsError

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
        registry.error_page(settings.server.error_pages)
    except (SettingsError, PluginError) as error:
        raise failure(error) from None
    problems = _report(settings, registry)
    for warning in settings.warnings():
        click.echo(f"warning: {warning}")
    mistakes = _mistakes(settings)
    for mistake in mistakes:
        click.echo(f"problem: {mistake}")
    if problems:
        raise failure(f"{problems} of {len(settings.apps)} apps can't be started")
    if mistakes:
        endpoints = len(settings.server.listen)
        raise failure(f"{len(mistakes)} of {endpoints} endpoints can't be listened on")
    click.echo(f"{file}: no problems")


def _mistakes(settings: Settings) -> list[str]:
    """What is wrong with endpoints; as far as who checks may look."""
    # It imports Twisted; a plain port is right by its shape.
    if all(_PLAIN.fullmatch(one) for one in settings.server.listen):
        return []
    from passtwist import assembly

    return assembly.mistakes_of_endpoints(settings)


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
