"""What must hold between settings, and what deserves a warning.

Runs in: the controller and the command.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import attrs

from passtwist.api.interpreters import interpreter_for, version_of
from passtwist.api.settings_declare import declarations
from passtwist.api.settings_kinds import quoted
from passtwist.errors import DetectionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from passtwist.api.settings_app import AppSettings
    from passtwist.api.settings_server import ServerSettings

# Linux takes 107 bytes and a NUL in sun_path; below the runtime directory we
# need "/sockets/" and a worker's number.
MAX_RUNTIME_DIR = 80

# As spawnserver.immortal has them, which this layer may not import.
IMMORTAL_VERSIONS = ("3.12", "3.13")


@attrs.frozen
class Account:
    """Who we run as: user and group, by name and by number."""

    user: str
    uid: int
    group: str
    gid: int

    @classmethod
    def current(cls) -> Account:
        """The effective user and group of this process."""
        import grp
        import pwd

        uid, gid = os.geteuid(), os.getegid()
        try:
            user = pwd.getpwuid(uid).pw_name
        except KeyError:
            user = str(uid)
        try:
            group = grp.getgrgid(gid).gr_name
        except KeyError:
            group = str(gid)
        return cls(user, uid, group, gid)


def label(app: AppSettings) -> str:
    """How messages call an app's table."""
    return f'[[app]] "{app.name}"'


def server_problems(server: ServerSettings) -> Iterable[str]:
    """What is wrong with the server's settings as a whole."""
    if len(os.fsencode(server.runtime_dir)) > MAX_RUNTIME_DIR:
        yield (
            f"[server]: runtime_dir: {quoted(server.runtime_dir)} is too long for the "
            f"sockets in it; use a path of at most {MAX_RUNTIME_DIR} bytes"
        )
    if server.max_header_field > server.max_header_bytes:
        yield (
            "[server]: max_header_field: is larger than max_header_bytes, which holds "
            "all fields together; make it smaller"
        )


def app_problems(app: AppSettings) -> Iterable[str]:
    """What is wrong with one app's settings as a whole."""
    where = label(app)
    if app.max_instances and app.min_instances > app.max_instances:
        yield (
            f"{where}: min_instances: {app.min_instances} is more than max_instances, "
            f"{app.max_instances}; make it at most that"
        )
    if app.memory_limit > app.hard_memory_limit > 0:
        yield (
            f"{where}: memory_limit: is more than hard_memory_limit; make it less, so "
            "that a worker can leave before it is killed"
        )
    for key, folder in _folders_of_files(app):
        whole = os.path.normpath(os.path.join(app.root, folder))
        if app.root == whole or app.root.startswith(whole.rstrip("/") + "/"):
            yield (
                f"{where}: {key}: {quoted(folder)} holds the app's code and settings, "
                "which would be sent to clients; name a folder that holds nothing else "
                "than what is to be sent"
            )
    if app.freeze == "immortal" and (found := _too_mortal(app)):
        yield f"{where}: freeze: {found}"


def _folders_of_files(app: AppSettings) -> Iterable[tuple[str, str]]:
    """The keys, and the folders that they name."""
    yield from (("static", folder) for _, folder in app.static)
    if app.public:
        yield "public", app.public
    yield from (("sendfile", folder) for folder in app.sendfile)
    yield from (("accel", folder) for _, folder in app.accel)


def _too_mortal(app: AppSettings) -> str:
    """What is wrong with the interpreter of an app with an immortal heap, or "".

    Where its name does not tell its version, the spawner says it.
    """
    try:
        python, _ = interpreter_for(app.root, app.python)
    except DetectionError:
        return ""  # is told when the app is looked for
    version = version_of(python)
    # An app that is still to come may bring a virtualenv.
    if not version or version in IMMORTAL_VERSIONS or not os.path.isdir(app.root):
        return ""
    return (
        f'"immortal" needs CPython 3.12 or 3.13 with a GIL, and {quoted(python)} is '
        f'{version}; write "gc" or set python'
    )


def clashes(apps: Sequence[AppSettings]) -> Iterable[str]:
    """Apps that could not be told apart."""
    names: dict[str, AppSettings] = {}
    places: dict[tuple[str, str], AppSettings] = {}
    for app in apps:
        other = names.setdefault(app.name, app)
        if other is not app:
            yield (
                f"{label(app)}: name: both {quoted(other.root)} and {quoted(app.root)} "
                "have this name; give each app its own"
            )
            continue
        for host in app.hosts or ("",):
            other = places.setdefault((host, app.base_uri), app)
            if other is not app:
                at = f"host {host}" if host else "any host"
                yield (
                    f"{label(app)}: base_uri: {quoted(app.base_uri)} on {at} is "
                    f"already that of app {other.name!r}; change base_uri or hosts"
                )


def warnings(server: ServerSettings, apps: Sequence[AppSettings]) -> tuple[str, ...]:
    """What is accepted and yet will surprise, one sentence each."""
    found = [*_without_effect(server, "[server]"), *_open_sockets(server)]
    for app in apps:
        found += _without_effect(app, label(app))
        found += _unreachable_folders(app)
    minima = sum(app.min_instances for app in apps)
    if minima > server.max_pool_size:
        found.append(
            f"[server]: max_pool_size: the apps' min_instances add up to {minima}, "
            f"more than the {server.max_pool_size} workers of the pool; not all can "
            "be kept"
        )
    return tuple(found)


def _open_sockets(server: ServerSettings) -> Iterable[str]:
    """Unix sockets whose clients are believed, and may be anybody."""
    for endpoint in server.listen:
        kind, *arguments = endpoint.removeprefix("haproxy:").split(":")
        if kind != "unix" or not int(_mode(arguments[1:]), 8) & 0o002:
            continue
        remedy = "add mode=660 and the group of the proxy, group=www-data"
        if endpoint.startswith("haproxy:"):
            yield (
                "[server]: listen: everybody on this machine may connect to "
                f"{endpoint} and say who the client is; {remedy}"
            )
        elif "unix" in server.trusted_proxies:
            yield (
                '[server]: trusted_proxies: "unix" believes everybody on this machine: '
                f"all may connect to {endpoint}; {remedy}"
            )


def _mode(arguments: Sequence[str]) -> str:
    """Of a Unix socket's file, as Twisted has it: named, or else in front."""
    named = [one[5:] for one in arguments if one.startswith("mode=")]
    found = [*named, *arguments[:1], ""][0]
    # Anything else is told when the endpoint is listened on.
    return found if re.fullmatch("[0-7]+", found) else "666"


def _unreachable_folders(app: AppSettings) -> Iterable[str]:
    """Folders with files for clients from which nothing will be sent."""
    if not os.path.isdir(app.root):
        return  # is told when the app is looked for
    for key, folder in _folders_of_files(app):
        whole = os.path.normpath(os.path.join(app.root, folder))
        if link := _link_on_the_way(app.root, whole):
            yield (
                f"{label(app)}: {key}: {quoted(link)} is a symbolic link, and no file "
                "is sent through one; name the folder that it leads to"
            )
        elif key != "public" and not os.path.isdir(whole):
            how = " (for Django: manage.py collectstatic)" if key == "static" else ""
            yield (
                f"{label(app)}: {key}: {quoted(whole)} is no folder, so nothing is "
                f"sent from there; make it{how}"
            )


def _link_on_the_way(root: str, whole: str) -> str:
    """The first link in *whole*; links that lead to the app's root do not count."""
    place = root if whole.startswith(root + "/") else "/"
    for name in os.path.relpath(whole, place).split("/"):
        place = os.path.join(place, name)
        if os.path.islink(place):
            return place
    return ""


def _without_effect(settings: attrs.AttrsInstance, where: str) -> Iterable[str]:
    for one in declarations(type(settings)):
        if not one.effective and getattr(settings, one.key) != one.default:
            yield f"{where}: {one.key}: accepted, but has no effect in this version"
