"""`passtwist detach`, `disable` and `enable`: take a worker out of service.

Runs in: the command.
"""

from __future__ import annotations

import click

from passtwist.cli.admin_client import WhichServer, order, server_options


def _requests(count: int) -> str:
    return {0: "no request", 1: "1 request"}.get(count, f"{count} requests")


@click.command()
@click.argument("pid", type=int)
@server_options
def detach(pid: int, runtime_dir: str | None, config: str | None) -> None:
    """Let the worker PID finish its requests and leave.

    It gets no more of them; another worker is started if one is needed.
    """
    answer = order("detach", {"pid": pid}, WhichServer(runtime_dir, config))
    click.echo(
        f"worker {pid} of {answer['app']}: leaves when it has done what it has: "
        f"{_requests(answer['sessions'])}"
    )


@click.command()
@click.argument("pid", type=int)
@server_options
def disable(pid: int, runtime_dir: str | None, config: str | None) -> None:
    """Give the worker PID no more requests, but keep it.

    To look at it in peace: `passtwist backtrace`, a debugger, strace.
    """
    answer = order("disable", {"pid": pid}, WhichServer(runtime_dir, config))
    click.echo(
        f"worker {pid} of {answer['app']}: gets no more requests; it has: "
        f"{_requests(answer['sessions'])}"
    )


@click.command()
@click.argument("pid", type=int)
@server_options
def enable(pid: int, runtime_dir: str | None, config: str | None) -> None:
    """Give a disabled worker requests again."""
    answer = order("enable", {"pid": pid}, WhichServer(runtime_dir, config))
    click.echo(f"worker {pid} of {answer['app']}: gets requests again")
