"""`passtwist reload`: have a running server read its settings again.

Runs in: the command.
"""

from __future__ import annotations

import json

import click

from passtwist.cli.admin_client import AdminError, WhichServer, order, server_options
from passtwist.cli.options import failure
from passtwist.cli.status import one_line


@click.command()
@click.option("--json", "as_json", is_flag=True, help="print JSON, for programs")
@server_options
def reload(as_json: bool, runtime_dir: str | None, config: str | None) -> None:
    """Put the server's file of settings into effect, as it is now.

    Prints what has changed.  Apps that have not are not touched.  If the file
    can't be put into effect then nothing changes: the reason is printed, and the
    exit status is 1.
    """
    try:
        answer = order("reload", {}, WhichServer(runtime_dir, config))
    except AdminError as error:
        if error.status == 0:
            raise
        raise failure(f"nothing has changed: {error}") from None
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    for change in answer["changes"] or ["nothing is different"]:
        click.echo(one_line(change))
    for warning in answer["warnings"]:
        click.echo(f"warning: {one_line(warning)}", err=True)
