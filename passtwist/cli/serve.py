"""`passtwist serve`: the server in the foreground, for people.

Runs in: the command, which becomes the controller.
"""

from __future__ import annotations

import os
import sys

import click

from passtwist.api.flags import settings_from_flags
from passtwist.cli.options import (
    as_arguments,
    by_flag,
    config_option,
    failure,
    setting_options,
)
from passtwist.errors import SettingsError

# twistd as a program of our own interpreter: a script of that name need not
# be on the PATH, or may be another's.
_TWISTD = "from twisted.scripts.twistd import run; run()"


@click.command()
@click.argument("folders", metavar="[APP_DIR]...", nargs=-1)
@config_option
@setting_options()
def serve(folders: tuple[str, ...], **values: object) -> None:
    """Serve one app at /, or several each at /NAME, until interrupted.

    Without a folder and without -c, serves what passtwist.toml in the
    working directory says, or that directory itself.

    Logs go to standard error.  The same as `twistd -n passtwist`.
    """
    given = by_flag(values)
    try:
        # Twisted shows one line of an error and its own usage; better now.
        settings_from_flags(given, folders)
    except SettingsError as error:
        raise failure(error) from None
    command = twistd_command([*as_arguments(given), "--", *folders])
    # In place of this process: signals and exit status need no forwarding.
    os.execv(command[0], command)


def twistd_command(arguments: list[str]) -> list[str]:
    """The command line of a server in the foreground."""
    options = ["--nodaemon", "--pidfile=", f"--logger={__package__}.log.to_stderr"]
    return [sys.executable, "-c", _TWISTD, *options, "passtwist", *arguments]
