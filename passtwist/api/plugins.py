"""Loading plugins and calling their hooks.

Runs in: the controller and the command.

Plugins are called one by one, not all at once, so that a broken one can be
named; pluggy keeps their order and fits the arguments.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import pluggy

from passtwist.api import hookspecs
from passtwist.errors import PluginError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pluggy import HookCaller

    from passtwist.api.plugin_sources import Source

    Trace = Callable[[str], object]

HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("passtwist_"))


class Plugins:
    """The loaded plugins.

    :param trace: called with a line for each call of a hook, or None.
    """

    def __init__(self, trace: Trace | None = None) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._trace = trace
        self._origins: dict[str, str] = {}

    def origin(self, plugin: str) -> str:
        """The distribution with version, or the file, that *plugin* is from."""
        return self._origins[plugin]

    def error(self, plugin: str, hook: str, cause: str) -> PluginError:
        """*plugin* has broken a promise."""
        return PluginError(plugin, self._origins[plugin], hook, cause)

    def add(self, source: Source) -> None:
        """Load and register one plugin.

        :raises PluginError: its name is taken, it can't be imported, or it
            has no hooks or wrong ones.
        """
        other = self._origins.get(source.name)
        if other is not None:
            cause = f"{other} has a plugin of the same name; rename one"
            raise PluginError(source.name, source.origin, "name", cause)
        self._origins[source.name] = source.origin
        try:
            plugin = source.load()
        except (Exception, SystemExit) as error:
            raise self.error(source.name, "import", cause_of(error)) from error
        try:
            self._manager.register(plugin, source.name)
        except (pluggy.PluginValidationError, ValueError) as error:
            cause = " ".join(str(error).split())
            raise self.error(source.name, "hooks", cause) from error
        self._check_hooks(source.name, plugin)

    def call(self, hook: str, **arguments: object) -> Iterator[tuple[str, object]]:
        """Call *hook* of each plugin that has it.

        :returns: plugin and answer, without those that answered None.
        :raises SettingsError: a hook found that the operator wants what can't be.
        :raises PluginError: a hook raised anything else.
        """
        caller: HookCaller = getattr(self._manager.hook, hook)
        one_answer = caller.spec is not None and caller.spec.opts["firstresult"]
        plugins = [impl.plugin for impl in reversed(caller.get_hookimpls())]
        for plugin in plugins:
            name = self._manager.get_name(plugin) or ""
            others = [one for one in plugins if one is not plugin]
            if self._trace is not None:
                self._trace(f"{hook} of plugin {name!r} (from {self._origins[name]})")
            try:
                answers = self._manager.subset_hook_caller(hook, others)(**arguments)
            except SettingsError:
                raise
            except (Exception, SystemExit) as error:
                raise self.error(name, hook, cause_of(error)) from error
            if one_answer:
                # No list then, and the first that answers has it.
                if answers is not None:
                    yield name, answers
                    return
                continue
            for answer in answers:
                yield name, answer

    def _check_hooks(self, name: str, plugin: object) -> None:
        """pluggy has a check of its own, which can't say whose fault it is."""
        callers = self._manager.get_hookcallers(plugin)
        if not callers:
            cause = "it has none; decorate its functions with passtwist.api's hookimpl"
            raise self.error(name, "hooks", cause)
        for caller in callers:
            impl = next(i for i in caller.get_hookimpls() if i.plugin_name == name)
            if not caller.has_spec() and not impl.optionalhook:
                close = difflib.get_close_matches(caller.name, HOOKS, n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                raise self.error(name, caller.name, f"there is no such hook{hint}")
            if impl.hookwrapper or impl.wrapper:
                cause = "wraps the hooks of others; plugins are called one by one"
                raise self.error(name, caller.name, cause)


def cause_of(error: BaseException) -> str:
    """Type and first line of what was raised."""
    lines = str(error).splitlines()
    name = type(error).__name__
    return f"raised {name}: {lines[0]}" if lines else f"raised {name}"
