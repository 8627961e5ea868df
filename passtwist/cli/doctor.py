"""`passtwist doctor`: whether an app stands being forked, and what to do if not.

Runs in: the command, which becomes a controller for the while.  The app is
loaded in a process of its own interpreter, never in this one.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import TYPE_CHECKING

import click

from passtwist.api.flags import settings_from_flags
from passtwist.api.registry import Registry
from passtwist.api.resolve import resolve
from passtwist.cli.options import DETECTION, PLUGINS, by_flag, setting_options
from passtwist.errors import PasstwistError
from passtwist.model import UNSAFE, Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from passtwist.errors import SpawnError
    from passtwist.model import AppSpec, Finding

# The spawn method is what this is to help to decide.
FLAGS = (*(flag for flag in DETECTION if flag != "spawn-method"), "default-user")

SAFE, NOT_SAFE, NOT_LOADED = 0, 1, 2


@click.command()
@click.argument("folder", metavar="APP_DIR")
@click.option(
    "--allow",
    multiple=True,
    metavar="TOKEN",
    help="leave out what fork_allow = [TOKEN] would (can be repeated)",
)
@setting_options(*FLAGS, *PLUGINS)
def doctor(folder: str, allow: tuple[str, ...], **values: object) -> None:
    """Load the app in APP_DIR and say whether it can be forked safely.

    Shows each thing that a fork would break, with the line of code that makes
    it and what to do.  Exit status 0: it can be forked; 1: it can't; 2: it
    could not be loaded.
    """
    try:
        settings = settings_from_flags(by_flag(values), [folder])
        registry = Registry.load(settings.server.plugin_files)
        spec = resolve(settings.apps[0], settings.server, registry).spec
        spec = dataclasses.replace(spec, fork_allow=allow)
        # Brings Twisted along.
        from passtwist import assembly

        found = assembly.examine(spec, registry)
    except PasstwistError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(NOT_LOADED)
    if found.error is not None:
        click.echo(f"app {spec.name} could not be loaded")
        for line in (*about(found.error), *told(found.findings, spec)):
            click.echo(line)
        sys.exit(NOT_LOADED)
    for line in (verdict(spec, found.is_safe), *told(found.findings, spec)):
        click.echo(line)
    sys.exit(SAFE if found.is_safe else NOT_SAFE)


def verdict(spec: AppSpec, is_safe: bool) -> str:
    """What comes of it, in one sentence."""
    if is_safe:
        return f"app {spec.name}: can be forked safely"
    return (
        f"app {spec.name}: can't be forked safely; spawn_method = "
        '"auto" starts its workers without forks, "smart" refuses to start it'
    )


def told(findings: Sequence[Finding], spec: AppSpec) -> Iterator[str]:
    """The lines about each of the findings."""
    for finding in findings:
        yield ""
        yield f"{finding.level + ':':<9}{finding.text}"
        if finding.place:
            yield f"{'':<9}made at {within(finding.place, spec.root)}"
        if finding.hint:
            yield f"{'':<9}{finding.hint}"
        if finding.level == UNSAFE:
            yield f'{"":<9}If it is harmless: fork_allow = ["{finding.token}"]'


def within(place: str, root: str) -> str:
    """*place* as it is seen from the app's folder."""
    return place.removeprefix(root.rstrip("/") + os.sep)


def about(error: SpawnError) -> Iterator[str]:
    """The lines about a failed spawn: what happened, what to do, and the way."""
    yield error.summary
    if error.advice:
        yield error.advice
    for title, text in (("", error.detail), ("Printed:", error.output)):
        if text:
            yield ""
            yield from filter(None, (title, text.rstrip()))
    steps = [one for one in error.journey if isinstance(one, Step)]
    if steps:
        yield ""
        yield "Steps:"
    for step in steps:
        seconds = f" after {step.seconds:.3f} s" if step.seconds is not None else ""
        yield f"  {step.who} {step.pid}: {step.name} {step.state}{seconds}"
