"""`passtwist backtrace`: what a process of a running server is at.

Runs in: the command.
"""

from __future__ import annotations

import click

from passtwist.cli.admin_client import WhichServer, order, server_options
from passtwist.cli.requests import visible

# The server gives up on a process that says nothing; longer than that.
PATIENCE = 30.0  # seconds


@click.command()
@click.argument("pid", type=int)
@server_options
def backtrace(pid: int, runtime_dir: str | None, config: str | None) -> None:
    """Show the stacks of all threads of the process PID.

    Of a worker or a spawner.  It goes on with what it does; it need not
    cooperate, so this works in an endless loop and in code written in C.
    """
    options = WhichServer(runtime_dir, config)
    answer = order("backtrace", {"pid": pid}, options, PATIENCE)
    click.echo(f"{answer['process']}:\n")
    for line in answer["stacks"].splitlines():
        click.echo(visible(line))
