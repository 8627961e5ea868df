"""The `passtwist` command: its sub-commands, each in a module of its own.

Runs in: the command.
"""

from __future__ import annotations

import click

from passtwist import __version__
from passtwist.cli.backtrace import backtrace
from passtwist.cli.check import check
from passtwist.cli.detach import detach, disable, enable
from passtwist.cli.doctor import doctor
from passtwist.cli.drain import drain, undrain
from passtwist.cli.explain import explain
from passtwist.cli.memory import memory
from passtwist.cli.plugins import plugins
from passtwist.cli.reload import reload
from passtwist.cli.requests import requests
from passtwist.cli.restart import restart
from passtwist.cli.serve import serve
from passtwist.cli.status import status


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="passtwist")
def main() -> None:
    """An application server for Python web applications.

    `passtwist serve` runs it in the foreground, `twistd passtwist` as a
    daemon; the other commands look at settings, folders and running servers.
    """


for _command in (
    serve,
    status,
    memory,
    requests,
    backtrace,
    detach,
    disable,
    enable,
    check,
    explain,
    doctor,
    plugins,
    restart,
    reload,
    drain,
    undrain,
):
    main.add_command(_command)
