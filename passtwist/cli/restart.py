"""`passtwist restart`: have apps load their code anew, without a gap.

Runs in: the command.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import click

from passtwist.cli.admin_client import WhichServer, ask, order, server_options
from passtwist.cli.options import failure
from passtwist.cli.status import one_line, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    # The page ``restarts`` of the admin API.
    Json = Mapping[str, Any]

LOOK_EVERY = 0.1  # seconds
UNDER_WAY = ("asked", "restarting")


@click.command()
@click.argument("app", nargs=-1)
@click.option("--all", "every", is_flag=True, help="restart every app")
@click.option("--wait", is_flag=True, help="until only new code serves, or it failed")
@server_options
def restart(
    app: tuple[str, ...],
    every: bool,
    wait: bool,
    runtime_dir: str | None,
    config: str | None,
) -> None:
    """Replace the workers of APP, one by one, by such as have its code of now.

    Requests go on being answered; the old code serves until the new does, and
    for good if the new does not start.  With --wait apps are restarted one after
    the other, progress is shown, and the exit status is 0 when the new code of
    all of them serves, else 1.
    """
    if every == bool(app):
        raise click.UsageError("say which apps to restart, or --all")
    server = WhichServer(runtime_dir, config)
    known = [one["name"] for one in ask("status", server)["apps"]]
    for name in app:
        if name not in known:
            raise failure(
                f"there is no app {name!r}; there are: {', '.join(known) or 'none'}"
            )
    failed = []
    for name in dict.fromkeys(app or known):
        answer = order("restart", {"app": name}, server)
        if not wait:
            click.echo(f"{name}: restart ordered; passtwist status says how it goes")
            continue
        try:
            if not follow(name, answer, server):
                failed.append(name)
        except KeyboardInterrupt:
            click.echo(f"{name}: the restart goes on; passtwist status says how")
            raise
    if failed:
        raise failure(f"the new code of {', '.join(failed)} does not serve")


def follow(app: str, answer: Json, server: WhichServer) -> bool:
    """Show how a restart goes until it has ended; whether that was well."""
    query = urlencode({"app": app, "after": answer["after"]})
    shown = ""
    while True:
        text = described(answer)
        if text != shown:
            click.echo(f"{app}: {text}")
            shown = text
        if answer["state"] not in UNDER_WAY:
            break
        time.sleep(LOOK_EVERY)
        before, answer = answer, ask(f"restarts?{query}", server)
        if before["state"] == "restarting" and answer["state"] == "asked":
            raise failure(
                f"the restart of {app} is no more: the app was removed and added "
                "again meanwhile, or the server started anew"
            )
    return bool(answer["state"] == "finished")


def described(answer: Json) -> str:
    """One line; more when it failed."""
    return _WORDS[answer["state"]](answer)


def _restarting(answer: Json) -> str:
    replaced, left = answer["replaced"], answer["left"]
    if not replaced and not answer["workers"]:
        return "starting the first worker with new code"
    workers = _pids(answer)
    text = f"replaced {replaced} of {replaced + left}{workers and ', by ' + workers}"
    if answer["error"] is None:
        return text
    lines = (f"{text}; the next one did not start, and is tried again", *_why(answer))
    return "\n".join(lines)


def _finished(answer: Json) -> str:
    workers = _pids(answer)
    took = f"done in {seconds(answer['seconds'])}, generation {answer['generation']}"
    return f"{took}: {workers}" if workers else f"{took}; it has no workers now"


def _failed(answer: Json) -> str:
    text = "the new code does not serve"
    if answer["serving"]:
        text += f"; workers that go on with the old: {answer['serving']}"
    return "\n".join((text, *_why(answer)))


def _why(answer: Json) -> Iterator[str]:
    error = answer["error"]
    yield f"  {one_line(error['summary'])}"
    if error["advice"]:
        yield f"  {one_line(error['advice'])}"
    yield f"  More is in the log, by the error id {error['id']}."


def _pids(answer: Json) -> str:
    pids = answer["workers"]
    word = "worker" if len(pids) == 1 else "workers"
    return f"{word} {', '.join(map(str, pids))}" if pids else ""


_WORDS: dict[str, Callable[[Json], str]] = {
    "asked": lambda answer: "waiting for the restart to begin",
    "restarting": _restarting,
    "finished": _finished,
    "failed": _failed,
}
