"""`passtwist status`: what a running server says about itself.

Runs in: the command.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from passtwist.cli.admin_client import WhichServer, ask, server_options
from passtwist.cli.tables import print_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    # What the server's JSON holds; its shape is that of `status --json`.
    Json = Mapping[str, Any]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="print JSON, for programs")
@server_options
def status(as_json: bool, runtime_dir: str | None, config: str | None) -> None:
    """Show the apps and workers of a running server."""
    answer = ask("status", WhichServer(runtime_dir, config))
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    show(answer)


def show(answer: Json) -> None:
    """Print the whole of a status for people."""
    pool = answer["pool"]
    click.echo(
        f"passtwist {answer['version']}, pid {answer['pid']}, "
        f"up {seconds(answer['uptime_s'])}; workers {pool['capacity_used']} of "
        f"{pool['max_pool_size']}, busy {pool['busy']}, waiting requests "
        f"{pool['queue']}"
    )
    if answer.get("draining"):
        click.echo("draining: clients are sent away")
    if answer.get("last_reload_error"):
        click.echo(f"last failed reload: {one_line(answer['last_reload_error'])}")
    if lost := lost_lines(answer.get("logs", {})):
        click.echo(f"lines that are in no log: {lost}")
    for app in answer["apps"]:
        click.echo()
        show_app(app)
    if answer.get("leaving"):
        names = sorted({worker["app"] for worker in answer["leaving"]})
        click.echo(f"\nworkers of removed apps: {', '.join(names)}")
        show_workers(answer["leaving"])


def lost_lines(logs: Json) -> str:
    """Which logs did not take lines, and how many; "" when all did."""
    counts = {
        "access log": logs.get("access_log_dropped", 0),
        "server's log": logs.get("server_log_dropped", 0),
        **{f"output of {app}": n for app, n in logs.get("output_dropped", {}).items()},
    }
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count)


def show_app(app: Json) -> None:
    """Print one app and its workers."""
    click.echo(
        f"{app['name']}: {app['state']}, {app['framework']}, "
        f"{app['spawn_method']}, waiting {app['queue']}, {app['root']}"
    )
    if app.get("spawn_method_reason"):
        click.echo(f"  {app['spawn_method_reason']}")
    if app.get("last_spawn_error"):
        click.echo(f"  last failed spawn: {one_line(app['last_spawn_error'])}")
    if app["workers"]:
        show_workers(app["workers"])


def show_workers(workers: Iterable[Json]) -> None:
    """Print a table of workers."""
    columns = ("pid", "state", "sessions", "requests", "spawn", "up", "memory")
    print_table((*columns, "current"), worker_rows(workers))


def worker_rows(workers: Iterable[Json]) -> Iterable[tuple[str, ...]]:
    """The cells of each worker."""
    for worker in workers:
        current = [
            f"{one_line(one['method'] + ' ' + one['path'])} {seconds(one['seconds'])}"
            for one in worker.get("current") or ()
        ]
        took = worker["spawn_seconds"]  # None while it starts
        yield (
            str(worker["pid"] or ""),
            worker["state"] + ("" if worker.get("enabled", True) else ", disabled"),
            str(worker["sessions"]),
            str(worker["requests"]),
            "" if took is None else f"{worker['spawn_method']} {seconds(took)}",
            seconds(worker["uptime_s"]),
            memory(worker.get("memory")),
            "; ".join(current),
        )


def one_line(text: str) -> str:
    """*text* without line feeds and control characters.

    What an app raised and what clients asked for must not steer the terminal.
    """
    joined = " ".join(text.split())
    return "".join(one if one.isprintable() else "?" for one in joined)


def memory(sample: Json | None) -> str:
    """What a worker has for itself, if it was sampled."""
    own = (sample or {}).get("uss")
    return "" if own is None else f"{own / 2**20:.1f} MiB"


def seconds(value: float) -> str:
    """A duration, in the unit that suits it."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 120:
        return f"{value:.1f} s"
    minutes = int(value // 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
