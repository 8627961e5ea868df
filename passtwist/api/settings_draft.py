"""The tables of a settings file before their values are looked at.

Runs in: the controller and the command.
"""

from __future__ import annotations

import os
import tomllib
from typing import cast

import attrs

from passtwist.api.settings_kinds import quoted
from passtwist.api.settings_load import suggestion

SECTIONS = ("server", "defaults", "app")


@attrs.frozen(kw_only=True)
class Draft:
    """What was written, by section.

    :ivar folder: where relative paths start.
    :ivar file: absolute path of the file, "" for none.
    """

    source: str
    folder: str
    file: str = ""
    server: dict[str, object] = attrs.field(factory=dict)
    defaults: dict[str, object] = attrs.field(factory=dict)
    apps: list[dict[str, object]] = attrs.field(factory=list)


def read_draft(path: str, problems: list[str]) -> Draft:
    """The sections of a TOML file; what is wrong with them goes to *problems*."""
    absolute = os.path.abspath(path)
    folder = os.path.dirname(absolute)
    try:
        with open(path, "rb") as file:
            document: dict[str, object] = tomllib.load(file)
    except OSError as error:
        problems.append(f"the file can't be read: {error.strerror}")
        return Draft(source=path, folder=folder)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"the file is no TOML: {error}")
        return Draft(source=path, folder=folder)
    for section in document.keys() - set(SECTIONS):
        hint = suggestion(section, SECTIONS)
        problems.append(f"[{quoted(section)[1:-1]}]: there is no such section{hint}")
    return Draft(
        source=path,
        folder=folder,
        file=absolute,
        server=_table(document, "server", problems),
        defaults=_table(document, "defaults", problems),
        apps=_apps(document, problems),
    )


def _table(
    document: dict[str, object], section: str, problems: list[str]
) -> dict[str, object]:
    table = document.get(section, {})
    if isinstance(table, dict):
        return table
    problems.append(f"[{section}]: is no table; write a line [{section}]")
    return {}


def _apps(document: dict[str, object], problems: list[str]) -> list[dict[str, object]]:
    apps = document.get("app", [])
    if not isinstance(apps, list) or not all(isinstance(app, dict) for app in apps):
        problems.append("[app]: is no list of tables; write [[app]] for each app")
        return []
    if not apps:
        problems.append(
            "there is no app; write a line [[app]] and below it a line root = "
            '"/path/of/the/app"'
        )
    return cast("list[dict[str, object]]", apps)
