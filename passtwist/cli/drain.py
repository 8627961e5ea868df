"""`passtwist drain` and `undrain`: send clients away without stopping.

Runs in: the command.
"""

from __future__ import annotations

import click

from passtwist.cli.admin_client import WhichServer, order, server_options


@click.command()
@server_options
def drain(runtime_dir: str | None, config: str | None) -> None:
    """Want no more requests: say so to balancers and to each client.

    What comes all the same is served, until the server is stopped.
    """
    answer = order("drain", {}, WhichServer(runtime_dir, config))
    click.echo("draining" if answer["changed"] else "it is draining already")


@click.command()
@server_options
def undrain(runtime_dir: str | None, config: str | None) -> None:
    """Want requests again, after `passtwist drain`."""
    answer = order("undrain", {}, WhichServer(runtime_dir, config))
    click.echo("not draining" if answer["changed"] else "it was not draining")
