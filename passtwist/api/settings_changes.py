"""What differs between two settings of a server, and what has to happen for it.

Runs in: the controller.  Pure.

An app is known by its name.  One whose root or anything else is new stays the
same app; one with another name is another, wherever its folder is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from passtwist.api.settings_app import AppSettings
from passtwist.api.settings_declare import declarations
from passtwist.api.settings_server import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from passtwist.api.settings import Settings

_LISTEN = "listen"


@attrs.frozen
class AppChange:
    """An app that is in both.

    :ivar app: as it is to be.
    :ivar keys: those whose values differ, in the order of declaration.
    :ivar renewing: those of them that its running processes can't follow.
    """

    app: AppSettings
    keys: tuple[str, ...]
    renewing: tuple[str, ...]


@attrs.frozen
class Changes:
    """What differs.

    :ivar server: keys of ``[server]`` whose values differ.
    :ivar fixed: one sentence for each of those that a running server can't
        change.
    :ivar removed: apps, by name.
    """

    server: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    listen_added: tuple[str, ...] = ()
    listen_removed: tuple[str, ...] = ()
    added: tuple[AppSettings, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[AppChange, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.server or self.added or self.removed or self.changed)

    def sentences(self) -> tuple[str, ...]:
        """One line for each thing that differs; values of apps are not told."""
        return tuple(self._sentences())

    def _sentences(self) -> Iterable[str]:
        for listener in self.listen_added:
            yield f"listening on {listener}"
        for listener in self.listen_removed:
            yield f"not listening on {listener} any more"
        if keys := [key for key in self.server if key != _LISTEN]:
            yield f"[server]: changed: {', '.join(keys)}"
        for name in self.removed:
            yield f"app {name}: removed"
        for app in self.added:
            yield f"app {app.name}: added"
        for change in self.changed:
            what = f"app {change.app.name}: changed: {', '.join(change.keys)}"
            if change.renewing:
                what += f"; restarting it for {', '.join(change.renewing)}"
            yield what


def compare(old: Settings, new: Settings) -> Changes:
    """What has to happen for a server with *old* settings to have *new* ones."""
    before = {app.name: app for app in old.apps}
    after = {app.name: app for app in new.apps}
    server = _differing(old.server, new.server)
    return Changes(
        server=server,
        fixed=tuple(_fixed(old.server, new.server)),
        listen_added=_missing_in(old.server.listen, new.server.listen),
        listen_removed=_missing_in(new.server.listen, old.server.listen),
        added=tuple(app for name, app in after.items() if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed=tuple(
            _change(before[name], app)
            for name, app in after.items()
            if name in before and before[name] != app
        ),
    )


def _fixed(old: ServerSettings, new: ServerSettings) -> Iterable[str]:
    for one in declarations(ServerSettings):
        was, wanted = getattr(old, one.key), getattr(new, one.key)
        if was != wanted and one.effective and not one.live:
            yield (
                f"[server]: {one.key}: can't be changed from {one.kind.show(was)} to "
                f"{one.kind.show(wanted)} while the server runs; restart the server, "
                "or write what it was"
            )


def _change(old: AppSettings, new: AppSettings) -> AppChange:
    keys = _differing(old, new)
    renewing = [
        one.key
        for one in declarations(AppSettings)
        if one.key in keys and one.effective and not one.live
    ]
    return AppChange(new, keys, tuple(renewing))


def _differing(old: attrs.AttrsInstance, new: attrs.AttrsInstance) -> tuple[str, ...]:
    return tuple(
        one.key
        for one in declarations(type(old))
        if getattr(old, one.key) != getattr(new, one.key)
    )


def _missing_in(some: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    """Those of *others* that are not among *some*, each once."""
    known = set(some)
    return tuple(dict.fromkeys(one for one in others if one not in known))
