"""`passtwist requests`: what a running server is asked for now.

Runs in: the command.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from passtwist.cli.admin_client import WhichServer, ask, server_options
from passtwist.cli.status import seconds
from passtwist.cli.tables import print_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    # What the server's JSON holds; its shape is that of `requests --json`.
    Json = Mapping[str, Any]

# Of a path, for people; programs get all of it.
SHOWN = 200


@click.command()
@click.option("--json", "as_json", is_flag=True, help="print JSON, for programs")
@server_options
def requests(as_json: bool, runtime_dir: str | None, config: str | None) -> None:
    """Show the requests in flight, the oldest first.

    Those that wait for a worker have no pid yet.  WAITED is how long a request
    has waited for a worker, RUNS how long the worker has had it.
    """
    answer = ask("requests", WhichServer(runtime_dir, config))
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    found = answer["requests"]
    if not found:
        click.echo("no requests")
        return
    columns = ("app", "pid", "state", "age", "waited", "runs", "method", "path")
    print_table(columns, rows(found))


def rows(found: Iterable[Json]) -> Iterable[tuple[str, ...]]:
    """The cells of each request."""
    for one in found:
        yield (
            visible(one["app"]),
            str(one["pid"] or ""),
            one["state"],
            seconds(one["age_s"]),
            seconds(one["waited_s"]),
            "" if one["runs_s"] is None else seconds(one["runs_s"]),
            visible(one["method"]),
            shortened(visible(one["path"])),
        )


def visible(text: str) -> str:
    """*text*, what is not printable as escapes: clients chose it."""
    return "".join(one if one.isprintable() else _escape(one) for one in text)


def shortened(text: str) -> str:
    """At most SHOWN characters of it."""
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _escape(one: str) -> str:
    return one.encode("unicode_escape").decode("ascii")
