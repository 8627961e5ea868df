"""The flags of the command line, from the declarations of the settings.

Runs in: the controller (twistd's options) and the command (click's).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from passtwist.api.settings import settings_from_options
from passtwist.api.settings_app import AppSettings
from passtwist.api.settings_declare import declarations
from passtwist.api.settings_kinds import TextList
from passtwist.api.settings_load import check
from passtwist.api.settings_server import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from passtwist.api.settings import Settings
    from passtwist.api.settings_declare import Declaration

CONFIG = "config"
LIST_PLUGINS = "list-plugins"


@dataclass(frozen=True)
class Flag:
    """One flag that sets a key.

    :ivar name: its long name without dashes in front.
    :ivar short: one letter, or "".
    :ivar repeatable: may be given several times; its values make a list.
    """

    name: str
    short: str
    declaration: Declaration
    repeatable: bool

    @property
    def help(self) -> str:
        """One sentence for ``--help``."""
        return self.declaration.help


@cache
def flags() -> tuple[Flag, ...]:
    """All flags that set a key: every server key, and the app keys with one."""
    found = []
    for cls in (AppSettings, ServerSettings):
        for one in declarations(cls):
            name = one.flag
            if cls is ServerSettings and not name:
                name = one.key.replace("_", "-")
            if name:
                repeatable = isinstance(one.kind, TextList)
                found.append(Flag(name, one.short, one, repeatable))
    return tuple(found)


def settings_from_flags(
    values: Mapping[str, object],
    folders: Sequence[str],
    environ: Mapping[str, str] | None = None,
    here: str = "",
) -> Settings:
    """The settings that flags and folders ask for.

    :param values: by long flag name: text, or a sequence of texts for a flag
        that can be repeated; None, "" or nothing for one that was not given.
    :param here: where relative paths in flags and environment start; "" for the
        working directory.
    :raises SettingsError: with all problems at once, the wrong flags by name.
    """
    problems: list[str] = []
    overrides: dict[str, object] = {}
    for flag in flags():
        given = values.get(flag.name)
        if given is None or given == "" or given == () or given == []:
            continue
        raw = given if flag.repeatable else flag.declaration.kind.from_text(str(given))
        if isinstance(raw, tuple):
            raw = list(raw)
        if found := check(flag.declaration, raw):
            problems += [f"--{flag.name}: {problem}" for problem in found]
        else:
            overrides[flag.declaration.key] = raw
    config = values.get(CONFIG)
    return settings_from_options(
        str(config) if config else None, folders, overrides, environ, problems, here
    )


class TwistedFlags:
    """The flags as a base class for an Options class of Twisted.

    Put it in front of ``twisted.python.usage.Options``; this module does not
    import Twisted because the command uses it as well::

        class Options(TwistedFlags, usage.Options): ...

    Afterwards ``options[name]`` holds text, a list of texts, or None, and
    ``options.settings()`` the settings.
    """

    optFlags = [[LIST_PLUGINS, None, "list the plugins and exit"]]
    optParameters = [
        [CONFIG, "c", None, "file of settings, instead of folders"],
        *(
            [flag.name, flag.short or None, None, flag.help]
            for flag in flags()
            if not flag.repeatable
        ),
    ]
    folders: tuple[str, ...] = ()

    def parseArgs(self, *folders: str) -> None:
        """Takes the folders of the apps."""
        self.folders = folders

    def settings(self) -> Settings:
        """What was asked for.

        :raises SettingsError: with all problems at once.
        """
        assert isinstance(self, dict)
        return settings_from_flags(self, self.folders)

    def reader(self, settings: Settings) -> Callable[[], Settings] | None:
        """What reads *settings* again, with the same flags, wherever we go from here.

        To be called in the working directory in which they were read.

        :returns: a function that raises as `settings` does; None for settings
            that come from no file.
        """
        assert isinstance(self, dict)
        if not settings.file:
            return None
        values = {**self, CONFIG: settings.file}
        here = os.getcwd()
        return lambda: settings_from_flags(values, (), here=here)


def _collector(flag: Flag) -> Callable[[dict[str, list[str]], str], None]:
    def collect(self: dict[str, list[str]], value: str) -> None:
        self.setdefault(flag.name, []).append(value)

    collect.__doc__ = f"{flag.help} (can be repeated)"
    return collect


# usage.Options keeps the last of several values of a parameter; a flag that
# can be repeated has to be a method.
for _flag in flags():
    if _flag.repeatable:
        _method = _collector(_flag)
        setattr(TwistedFlags, "opt_" + _flag.name.replace("-", "_"), _method)
        if _flag.short:
            setattr(TwistedFlags, "opt_" + _flag.short, _method)
