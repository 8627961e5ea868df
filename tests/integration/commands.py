"""The `passtwist` command, told which server is meant.

Runs in: tests.
"""

from __future__ import annotations

import json

from click.testing import CliRunner

from passtwist.cli.main import main

# Wide enough for no cell to be folded.
WIDE = {"COLUMNS": "300"}


def run(server, *arguments):
    """What ``passtwist ARGUMENTS`` does: exit status and what it prints."""
    told = [*map(str, arguments), "--runtime-dir", str(server.runtime_dir)]
    return CliRunner(env=WIDE).invoke(main, told, catch_exceptions=False)


def output(server, *arguments):
    """What it prints, when all goes well."""
    done = run(server, *arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def page(server, name):
    """The JSON that ``passtwist NAME --json`` prints."""
    return json.loads(output(server, name, "--json"))


def complaint(server, *arguments):
    """What it says when it can't be done."""
    done = run(server, *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    return done.stderr.removeprefix("Error: ").removesuffix("\n")
