"""The flags of the settings as options of click.

Runs in: the command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from passtwist.api.flags import CONFIG, Flag, flags

if TYPE_CHECKING:
    from collections.abc import Callable

    from passtwist.errors import PasstwistError

F = TypeVar("F", bound="Callable[..., object]")

# Flags that make sense where nothing is served.
DETECTION = ("framework", "entry", "python", "spawn-method", "environment", "threads")
PLUGINS = ("plugin-file",)


def setting_options(*names: str) -> Callable[[F], F]:
    """Decorate a command with flags of settings: those named, or all."""
    chosen = [flag for flag in flags() if not names or flag.name in names]

    def decorate(command: F) -> F:
        for flag in reversed(chosen):
            command = _option(flag)(command)
        return command

    return decorate


def config_option(command: F) -> F:
    """Decorate a command with ``-c/--config``."""
    decorate: Callable[[F], F] = click.option(
        "-c", "--config", metavar="FILE", help="file of settings, instead of folders"
    )
    return decorate(command)


def by_flag(values: dict[str, object]) -> dict[str, object]:
    """click's parameters by the names of their flags."""
    return {name.replace("_", "-"): value for name, value in values.items()}


def as_arguments(values: dict[str, object]) -> list[str]:
    """The command line that gives *values*, which are by flag."""
    found = []
    for name in (CONFIG, *(flag.name for flag in flags())):
        given = values.get(name)
        if given is None:
            continue
        several = given if isinstance(given, (list, tuple)) else [given]
        found += [f"--{name}={value}" for value in several]
    return found


def failure(error: PasstwistError | str) -> click.ClickException:
    """What ends a command: the message on standard error, exit status 1."""
    return click.ClickException(str(error))


def _option(flag: Flag) -> Callable[[F], F]:
    names = [f"--{flag.name}"]
    if flag.short:
        names.insert(0, f"-{flag.short}")
    return click.option(
        *names,
        help=flag.help,
        metavar=flag.declaration.kind.name.split()[0].upper().strip('"'),
        multiple=flag.repeatable,
    )
