"""What the plugins of this server provide, by name.

Runs in: the controller and the command.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from passtwist.api.plugin_sources import Source, from_file, installed
from passtwist.api.plugins import Plugins, cause_of
from passtwist.api.providers import (
    child_file_name,
    fault_of_error_page,
    fault_of_framework,
    fault_of_pool_policy,
    fault_of_restart_trigger,
    fault_of_spawn_method,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from passtwist.api.interfaces import (
        IErrorPage,
        IFramework,
        IPoolPolicy,
        IRestartTrigger,
        ISpawnMethod,
    )
    from passtwist.api.plugins import Trace
    from passtwist.errors import PluginError
    from passtwist.model import AppSpec

BLOCK = "PASSTWIST_BLOCK_PLUGINS"
TRACE = "PASSTWIST_TRACE_PLUGINS"
# In the order of lists.
_KINDS = ("spawn method", "framework", "restart trigger", "pool policy", "error page")


@dataclass(frozen=True)
class Provided:
    """One thing that a plugin provides, for lists.

    :ivar kind: ``spawn method``, ``framework``, ``restart trigger``, ``pool policy``
        or ``error page``.
    :ivar origin: distribution with version, or file, of its plugin.
    """

    kind: str
    name: str
    aliases: tuple[str, ...]
    description: str
    plugin: str
    origin: str


class _Named(Protocol):
    """What all providers are checked to have."""

    name: str
    description: str


class Registry:
    """All that plugins provide, checked.  Make one with `load`.

    :ivar frameworks: in the order in which they are asked to detect an app.
    :ivar restart_triggers: in the order of their names.
    :ivar pool_policy: None when no plugin has one.
    :ivar provided: everything, for lists.
    """

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._spawn_methods: dict[str, ISpawnMethod] = {}
        self.frameworks: tuple[IFramework, ...] = ()
        self.restart_triggers: tuple[IRestartTrigger, ...] = ()
        self.pool_policy: IPoolPolicy | None = None
        self.provided: tuple[Provided, ...] = ()
        self._collect()

    @classmethod
    def load(
        cls,
        plugin_files: Iterable[str] = (),
        block: str | None = None,
        trace: Trace | None = None,
    ) -> Registry:
        """Load the installed plugins and *plugin_files*.

        :param block: names of plugins to leave out, separated by commas; None
            for what PASSTWIST_BLOCK_PLUGINS says.
        :param trace: called with a line for each call of a hook; None for
            standard error if PASSTWIST_TRACE_PLUGINS is 1, else for nothing.
        :raises PluginError: a plugin is broken, or two claim one name.
        """
        if block is None:
            block = os.environ.get(BLOCK, "")
        if trace is None and os.environ.get(TRACE) == "1":
            trace = _to_stderr
        sources = installed([name.strip() for name in block.split(",")])
        return cls.from_sources([*sources, *map(from_file, plugin_files)], trace)

    @classmethod
    def from_sources(
        cls, sources: Sequence[Source], trace: Trace | None = None
    ) -> Registry:
        """A registry of exactly these plugins.

        :raises PluginError: as `load`.
        """
        plugins = Plugins(trace)
        for source in sources:
            plugins.add(source)
        return cls(plugins)

    def spawn_method(self, name: str) -> ISpawnMethod | None:
        """The spawn method of that name or alias, or None."""
        return self._spawn_methods.get(name)

    @property
    def spawn_method_names(self) -> tuple[str, ...]:
        """All names and aliases that `spawn_method` knows."""
        return tuple(sorted(self._spawn_methods))

    def framework(self, name: str) -> IFramework | None:
        """The framework of that name, or None."""
        return next((one for one in self.frameworks if one.name == name), None)

    @property
    def child_files(self) -> dict[str, str]:
        """Path of each framework's child half, by `AppSpec.child`."""
        return {child_file_name(one.name): one.child for one in self.frameworks}

    def fault_of(self, kind: str, name: str, cause: str) -> PluginError:
        """The provider *name* of *kind* has failed: an error that names its plugin."""
        for one in self.provided:
            if (one.kind, one.name) == (kind, name):
                return self._plugins.error(one.plugin, f"{kind} {name!r}", cause)
        raise KeyError(name)

    def spawn_environment(self, app: AppSpec) -> dict[str, str]:
        """What plugins want in the environment of *app*'s processes.

        :raises PluginError: a plugin is broken, or two want different values.
        """
        hook = "passtwist_spawn_environment"
        found: dict[str, str] = {}
        owners: dict[str, str] = {}
        for plugin, answer in self._plugins.call(hook, app=app):
            for key, value in self._pairs(plugin, hook, answer):
                owner = owners.setdefault(key, plugin)
                if found.setdefault(key, value) != value:
                    cause = f"plugin {owner!r} wants another value for {key}"
                    raise self._plugins.error(plugin, hook, cause)
        return found

    def error_page(self, folder: str) -> IErrorPage | None:
        """Who makes the error pages, None for the server itself.

        :param folder: the setting ``error_pages``.
        :raises SettingsError: a plugin does not like the folder.
        :raises PluginError: a plugin is broken.
        """
        return next((page for _, page in self._error_pages(folder)), None)

    def describe(self) -> str:
        """A plain table of what is provided and by whom, for --list-plugins."""
        rows = [("KIND", "NAME", "FROM", "DESCRIPTION")]
        for one in self.provided:
            names = ", ".join((one.name, *one.aliases))
            rows.append((one.kind, names, one.origin, one.description))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        widths.append(0)
        return "\n".join(
            "  ".join(
                cell.ljust(width) for cell, width in zip(row, widths, strict=True)
            )
            for row in rows
        )

    def _collect(self) -> None:
        rows: list[Provided] = []
        hook, kind = "passtwist_spawn_methods", "spawn method"
        for one in self._named(hook, kind, fault_of_spawn_method, rows):
            method = cast("ISpawnMethod", one)
            for name in (method.name, *method.aliases):
                self._spawn_methods[name] = method
        hook, kind = "passtwist_frameworks", "framework"
        found = self._named(hook, kind, fault_of_framework, rows)
        frameworks = [cast("IFramework", one) for one in found]
        # Equal priorities: by name, so that two machines agree.
        frameworks.sort(key=lambda one: (-one.priority, one.name))
        self.frameworks = tuple(frameworks)
        hook, kind = "passtwist_restart_triggers", "restart trigger"
        found = self._named(hook, kind, fault_of_restart_trigger, rows)
        triggers = [cast("IRestartTrigger", one) for one in found]
        self.restart_triggers = tuple(sorted(triggers, key=lambda one: one.name))
        for plugin, policy in self._plugins.call("passtwist_pool_policy"):
            self._take_policy(plugin, policy, rows)
        for plugin, page in self._error_pages(""):
            rows.append(self._row("error page", plugin, page, ()))
        rows.sort(key=lambda one: (_KINDS.index(one.kind), one.name))
        self.provided = tuple(rows)

    def _take_policy(self, plugin: str, one: object, rows: list[Provided]) -> None:
        if fault := fault_of_pool_policy(one):
            raise self._plugins.error(plugin, "passtwist_pool_policy", fault)
        self.pool_policy = cast("IPoolPolicy", one)
        rows.append(self._row("pool policy", plugin, self.pool_policy, ()))

    def _error_pages(self, folder: str) -> Iterator[tuple[str, IErrorPage]]:
        """The one that answers, with its plugin."""
        hook = "passtwist_error_page"
        for plugin, one in self._plugins.call(hook, error_pages=folder):
            if fault := fault_of_error_page(one):
                raise self._plugins.error(plugin, hook, fault)
            yield plugin, cast("IErrorPage", one)

    def _named(
        self,
        hook: str,
        kind: str,
        fault_of: Callable[[object], str],
        rows: list[Provided],
    ) -> list[object]:
        """What *hook* provides, each with a name of its own; listed in *rows*."""
        owners: dict[str, str] = {}
        found: list[object] = []
        for plugin, one in self._providers(hook, fault_of):
            provider = cast("_Named", one)
            is_method = kind == "spawn method"
            aliases = cast("ISpawnMethod", one).aliases if is_method else ()
            for name in (provider.name, *aliases):
                self._claim(plugin, hook, kind, name, owners)
            rows.append(self._row(kind, plugin, provider, aliases))
            found.append(one)
        return found

    def _providers(
        self, hook: str, fault_of: Callable[[object], str]
    ) -> Iterator[tuple[str, object]]:
        for plugin, answer in self._plugins.call(hook):
            if isinstance(answer, (str, bytes)) or not isinstance(answer, Iterable):
                cause = f"answered {answer!r}; it must answer a list of providers"
                raise self._plugins.error(plugin, hook, cause)
            try:
                providers = list(answer)
            except (Exception, SystemExit) as error:
                raise self._plugins.error(plugin, hook, cause_of(error)) from error
            for provider in providers:
                if fault := fault_of(provider):
                    raise self._plugins.error(plugin, hook, fault)
                yield plugin, provider

    def _claim(
        self, plugin: str, hook: str, kind: str, name: str, owners: dict[str, str]
    ) -> None:
        if name in owners:
            other = owners[name]
            cause = (
                f"{kind} {name!r} is already that of plugin {other!r} "
                f"(from {self._plugins.origin(other)}); remove one of the two"
            )
            raise self._plugins.error(plugin, hook, cause)
        owners[name] = plugin

    def _row(
        self,
        kind: str,
        plugin: str,
        provider: _Named,
        aliases: tuple[str, ...],
    ) -> Provided:
        origin = self._plugins.origin(plugin)
        text = " ".join(provider.description.split())
        return Provided(kind, provider.name, aliases, text, plugin, origin)

    def _pairs(
        self, plugin: str, hook: str, answer: object
    ) -> Iterator[tuple[str, str]]:
        if not isinstance(answer, Mapping):
            cause = f"answered {answer!r}; it must answer a mapping or None"
            raise self._plugins.error(plugin, hook, cause)
        for key, value in answer.items():
            right = isinstance(key, str) and isinstance(value, str)
            if not right or not key or "=" in key or "\0" in key + value:
                # The value stays out of the message: it may be a secret.
                cause = f"answered an impossible variable {key!r}"
                raise self._plugins.error(plugin, hook, cause)
            yield key, value


def _to_stderr(line: str) -> None:
    print(f"passtwist: {line}", file=sys.stderr)
