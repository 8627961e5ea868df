"""`passtwist plugins`: what is installed, and from where.

Runs in: the command.
"""

from __future__ import annotations

import click

from passtwist.api.flags import settings_from_flags
from passtwist.api.registry import Registry
from passtwist.cli.options import PLUGINS, by_flag, failure, setting_options
from passtwist.cli.tables import print_table
from passtwist.errors import PasstwistError


@click.command()
@setting_options(*PLUGINS)
def plugins(**values: object) -> None:
    """List spawn methods and frameworks with the plugins that they come from."""
    try:
        server = settings_from_flags(by_flag(values), [""]).server
        registry = Registry.load(server.plugin_files)
    except PasstwistError as error:
        raise failure(error) from None
    print_table(
        ("kind", "name", "from", "description"),
        [
            (one.kind, ", ".join((one.name, *one.aliases)), one.origin, one.description)
            for one in registry.provided
        ],
    )
