"""The settings of a server and its apps, read and checked as a whole.

Runs in: the controller and the command.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import attrs

from passtwist.api import settings_rules as rules
from passtwist.api.paths import default_runtime_dir
from passtwist.api.settings_app import AppSettings
from passtwist.api.settings_declare import declarations
from passtwist.api.settings_draft import Draft, read_draft
from passtwist.api.settings_load import from_texts, good_defaults, structure
from passtwist.api.settings_server import ServerSettings
from passtwist.api.standing import Standing, app_problems, scarcity, server_problems
from passtwist.api.standing import warnings as standing_warnings
from passtwist.errors import SettingsError, StartupError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "AppSettings",
    "ServerSettings",
    "Settings",
    "for_folders",
    "load_file",
    "settings_from_options",
]

DEFAULT_FILE = "passtwist.toml"


@attrs.frozen
class Settings:
    """All settings of a server.

    Paths are absolute, `ServerSettings.runtime_dir` and each app's name,
    base_uri and environment are filled in.

    :ivar source: the file that they came from, or ``the command line``.
    :ivar file: absolute path of that file; "" for none.
    """

    server: ServerSettings
    apps: tuple[AppSettings, ...]
    source: str
    file: str = ""

    def check_standing(self) -> tuple[str, ...]:
        """Whether this process, who may have been another before, can serve them.

        :returns: warnings, one sentence each.
        :raises StartupError: it can't.
        """
        standing = Standing.current()
        problems = [*server_problems(self.server, standing)]
        for app in self.apps:
            problems += app_problems(app, standing)
        if problems:
            raise StartupError("; ".join(problems))
        return tuple(standing_warnings(self.server, standing))

    def warnings(self) -> tuple[str, ...]:
        """What is accepted and yet will surprise, one sentence each."""
        scarce = scarcity(self.server, Standing.current())
        return (*rules.warnings(self.server, self.apps), *scarce)


def load_file(
    path: str,
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    here: str = "",
) -> Settings:
    """The settings in a TOML file.

    Relative paths in it start at the file's folder.  What the environment
    says of server keys goes before the file, *overrides* before both.

    :param overrides: values of server keys, as TOML would have given them.
    :param environ: environment variables; None for those of this process.
    :param here: folder at which relative paths in both start; "" for the
        working directory.
    :raises SettingsError: with all problems at once.
    """
    problems: list[str] = []
    draft = read_draft(path, problems)
    return _assemble(draft, overrides or {}, environ, problems, here)


def for_folders(
    folders: Sequence[str],
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    problems: Sequence[str] = (),
) -> Settings:
    """The settings for serving *folders* without a file.

    One folder is served at ``/``, several each at ``/NAME``.

    :param overrides: values of server and app keys, as TOML would have given
        them; app keys apply to every folder.
    :param problems: what was found wrong before; reported with the rest.
    :raises SettingsError: with all problems at once.
    """
    server_keys = {one.key for one in declarations(ServerSettings)}
    values = dict(overrides or {})
    server = {key: values.pop(key) for key in list(values) if key in server_keys}
    apps = []
    for folder in folders:
        root = os.path.abspath(folder)
        mount = f"/{name_of(root)}" if len(folders) > 1 else "/"
        apps.append({"root": root, "base_uri": mount, **values})
    draft = Draft(source="the command line", folder=os.getcwd(), apps=apps)
    return _assemble(draft, server, environ, list(problems))


def settings_from_options(
    config: str | None,
    folders: Sequence[str],
    overrides: Mapping[str, object],
    environ: Mapping[str, str] | None = None,
    problems: Sequence[str] = (),
    here: str = "",
) -> Settings:
    """The settings that a command line asks for.

    With neither file nor folders, ``passtwist.toml`` in the working directory
    is read if it exists; else the working directory itself is the app.

    :param config: the file given with ``-c``, if any.
    :param overrides: values of server and app keys that flags gave.
    :param problems: what was found wrong with the flags; reported with the rest.
    :param here: as for `load_file`.
    :raises SettingsError: with all problems at once; also for a file together
        with folders or with app keys.
    """
    if config is None and not folders:
        if os.path.exists(DEFAULT_FILE):
            config = DEFAULT_FILE
        else:
            folders = [os.curdir]
    if config is None:
        return for_folders(folders, overrides, environ, problems)
    found = list(problems)
    if folders:
        found.append(
            f"{config} and folders are given together; name the folders in the file "
            "as [[app]] or leave out the file"
        )
    server_keys = {one.key for one in declarations(ServerSettings)}
    for key in sorted(overrides.keys() - server_keys):
        flag = key.replace("_", "-")
        found.append(
            f"--{flag}: applies to folders on the command line only; set {key} in "
            f"{config}, under [[app]] or [defaults]"
        )
    server = {key: raw for key, raw in overrides.items() if key in server_keys}
    draft = read_draft(config, found)
    return _assemble(draft, server, environ, found, here)


def name_of(root: str) -> str:
    """The name of an app that was given none: its folder's, made harmless."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", os.path.basename(root))
    return name.strip("._-")[:64] or "app"


def _assemble(
    draft: Draft,
    overrides: Mapping[str, object],
    environ: Mapping[str, str] | None,
    problems: list[str],
    here: str = "",
) -> Settings:
    environ = os.environ if environ is None else environ
    server = _server(draft, overrides, environ, problems, here)
    defaults = good_defaults(AppSettings, draft.defaults, problems)
    standing = Standing.current()
    problems += server_problems(server, standing)
    apps = []
    for number, table in enumerate(draft.apps, 1):
        app = _app(draft, {**defaults, **table}, number, server, problems)
        if app is not None:
            problems += rules.app_problems(app)
            problems += app_problems(app, standing)
            apps.append(app)
    problems += rules.clashes(apps)
    if problems:
        raise SettingsError(problems, draft.source)
    return Settings(server, tuple(apps), draft.source, draft.file)


def _server(
    draft: Draft,
    overrides: Mapping[str, object],
    environ: Mapping[str, str],
    problems: list[str],
    here: str,
) -> ServerSettings:
    """The server's settings; defaults in place of the wrong."""
    texts = {
        one.key: environ[one.variable]
        for one in declarations(ServerSettings)
        if one.variable in environ
    }
    variables = from_texts(ServerSettings, texts, lambda one: one.variable, problems)
    table = {**draft.server, **variables, **overrides}
    server = structure(ServerSettings, table, "[server]", problems) or ServerSettings()
    # A path that was typed or exported is meant from where one stands; one in
    # the file, from where the file is.
    local = variables.keys() | overrides.keys()

    def absolute(key: str, path: str) -> str:
        return os.path.abspath(
            os.path.join(here if key in local else draft.folder, path)
        )

    runtime_dir = server.runtime_dir or default_runtime_dir(environ, os.geteuid())
    log = server.access_log
    server = attrs.evolve(
        server,
        runtime_dir=absolute("runtime_dir", runtime_dir),
        access_log=log if log in ("-", "off") else absolute("access_log", log),
        error_pages=server.error_pages and absolute("error_pages", server.error_pages),
        spool_dir=server.spool_dir and absolute("spool_dir", server.spool_dir),
        plugin_files=tuple(absolute("plugin_files", p) for p in server.plugin_files),
    )
    problems += rules.server_problems(server)
    return server


def _app(
    draft: Draft,
    table: Mapping[str, object],
    number: int,
    server: ServerSettings,
    problems: list[str],
) -> AppSettings | None:
    name = table.get("name")
    known = isinstance(name, str) and name.isprintable() and name
    where = f'[[app]] "{name}"' if known else f"[[app]] number {number}"
    app = structure(AppSettings, table, where, problems)
    if "root" not in table or table["root"] == "":
        problems.append(f"{where}: root: is missing; write the path of its folder")
        return None
    if app is None:
        return None
    root = os.path.abspath(os.path.join(draft.folder, app.root))
    log_file = app.log_file and os.path.join(draft.folder, app.log_file)
    return attrs.evolve(
        app,
        root=root,
        name=app.name or name_of(root),
        environment=app.environment or server.environment,
        log_file=log_file,
    )
