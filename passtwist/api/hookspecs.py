"""The hooks of passtwist: how a plugin registers what it provides.

Runs in: the controller and the command.

Hooks are synchronous and called once at start-up, except where they say
otherwise.  None means "nothing from me"; an exception means "mine, and
broken", and the server does not start.  What takes time is a method of a
provider (`passtwist.api.interfaces`), never a hook.

A plugin decorates its functions with `hookimpl`; they may take fewer
arguments than are written here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from passtwist.api.interfaces import (
        IErrorPage,
        IFramework,
        IPoolPolicy,
        IRestartTrigger,
        ISpawnMethod,
    )
    from passtwist.model import AppSpec

PROJECT = "passtwist"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def passtwist_spawn_methods() -> Iterable[ISpawnMethod] | None:
    """Ways for workers to come to be.

    :returns: providers of `ISpawnMethod`; their names and aliases become
        values of the setting ``spawn_method``.
    """


@hookspec
def passtwist_frameworks() -> Iterable[IFramework] | None:
    """Web frameworks that the plugin knows.

    :returns: providers of `IFramework`; their names become values of the
        setting ``framework``.
    """


@hookspec
def passtwist_restart_triggers() -> Iterable[IRestartTrigger] | None:
    """What asks for restarts of apps.

    :returns: providers of `IRestartTrigger`; each of them watches every app.
    """


@hookspec(firstresult=True)
def passtwist_pool_policy() -> IPoolPolicy | None:
    """A say in which worker a request gets, for all apps of the server.

    Called when the server starts.  The first plugin that answers has it; files
    of ``plugin_files`` are asked before installed plugins.
    """


@hookspec(firstresult=True)
def passtwist_error_page(error_pages: str) -> IErrorPage | None:
    """Error pages in place of the server's own.

    Called when the server starts and when its settings are reloaded.  The first
    plugin that answers has it; files of ``plugin_files`` are asked before
    installed plugins.

    :param error_pages: the setting of that name, an absolute path; "" when it is
        not set.
    """


@hookspec
def passtwist_spawn_environment(app: AppSpec) -> Mapping[str, str] | None:
    """Environment variables for the processes of *app*.

    Called for each app when the server starts or its settings change.  The
    app's own setting ``env`` goes before what plugins say; two plugins that
    want different values for one variable are an error.

    :param app: complete but for the plugins' variables.
    """
