"""`passtwist memory`: which memory a running server's processes share.

Runs in: the command.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from passtwist.cli.admin_client import WhichServer, ask, server_options
from passtwist.cli.status import one_line
from passtwist.cli.tables import print_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    # What the server's JSON holds; its shape is that of `memory --json`.
    Json = Mapping[str, Any]

MEASURES = ("pss", "uss", "rss", "shared")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="print JSON, for programs")
@server_options
def memory(as_json: bool, runtime_dir: str | None, config: str | None) -> None:
    """Show how much memory each process has, and shares.

    Measures now.  PSS is a process's fair share: a page that N processes have
    counts 1/N for each, so that PSS can be added up.  USS is what it has for
    itself, RSS all that it sees, and shared what RSS has over USS.
    """
    answer = ask("memory", WhichServer(runtime_dir, config))
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    show(answer)


def show(answer: Json) -> None:
    """Print the whole of it for people."""
    for app in answer["apps"]:
        show_app(app)
        click.echo()
    print_table(("server", "pid", *MEASURES), server_rows(answer))
    click.echo()
    total = answer["total"]
    click.echo(f"all {total['processes']} processes together: {mib(total['pss'])} PSS")


def show_app(app: Json) -> None:
    """Print one app: what it takes, what one more worker would, and its processes."""
    workers = len(app["workers"])
    line = f"{one_line(app['name'])}: {mib(app['total']['pss'])} PSS"
    if workers:
        line += f", workers {workers}, a further one costs {mib(app['further_worker'])}"
    click.echo(line)
    rows = [row("app spawner", one, "") for one in app["spawners"]]
    rows += [
        row(f"worker, {one['state']}", one, str(one["requests"]))
        for one in app["workers"]
    ]
    if rows:
        print_table(("process", "pid", *MEASURES, "requests"), rows)


def server_rows(answer: Json) -> Iterable[tuple[str, ...]]:
    """The cells of each process that is no app's."""
    for name in ("controller", "spawn_manager"):
        if answer[name]:
            yield row(name.replace("_", " "), answer[name])
    for one in answer["framework_spawners"]:
        yield row("framework spawner", one)


def row(name: str, process: Json, *more: str) -> tuple[str, ...]:
    """The cells of one process."""
    sample = process["memory"]
    cells = (mib(sample[measure]) for measure in MEASURES)
    return (name, str(process["pid"]), *cells, *more)


def mib(size: int) -> str:
    """Bytes for people."""
    return f"{size / 2**20:.1f} MiB"
