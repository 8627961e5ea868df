"""Checks of what plugins provide, before anything relies on it.

Runs in: the controller and the command.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from zope.interface import Invalid
from zope.interface.verify import verifyObject

from passtwist.api.interfaces import (
    IErrorPage,
    IFramework,
    IPoolPolicy,
    IRestartTrigger,
    ISpawnMethod,
)

if TYPE_CHECKING:
    from zope.interface import Interface

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def fault_of_spawn_method(provider: object) -> str:
    """What is wrong with a provider of ISpawnMethod, or ""."""
    if fault := _fault(ISpawnMethod, provider):
        return fault
    aliases = getattr(provider, "aliases", None)
    if not isinstance(aliases, tuple) or not all(_is_name(one) for one in aliases):
        return f"{provider!r} has no good aliases; they are a tuple of names"
    return ""


def fault_of_framework(provider: object) -> str:
    """What is wrong with a provider of IFramework, or ""."""
    if fault := _fault(IFramework, provider):
        return fault
    if not isinstance(getattr(provider, "priority", None), int):
        return f"{provider!r} has no good priority; it is a whole number"
    child = getattr(provider, "child", None)
    if not isinstance(child, str) or not os.path.isabs(child):
        return f"{provider!r} has no good child; it is the absolute path of a file"
    if not os.path.isfile(child):
        return f"its child half {child} is no file"
    if not isinstance(getattr(provider, "distribution", None), str):
        return f'{provider!r} has no good distribution; it is a name or ""'
    return ""


def fault_of_pool_policy(provider: object) -> str:
    """What is wrong with a provider of IPoolPolicy, or ""."""
    return _fault(IPoolPolicy, provider)


def fault_of_error_page(provider: object) -> str:
    """What is wrong with a provider of IErrorPage, or ""."""
    return _fault(IErrorPage, provider)


def fault_of_restart_trigger(provider: object) -> str:
    """What is wrong with a provider of IRestartTrigger, or ""."""
    return _fault(IRestartTrigger, provider)


def child_file_name(framework: str) -> str:
    """The name of a framework's child half in the runtime directory.

    Not its name at home: all of ours are called child.py.
    """
    return f"{framework}.py"


def _is_name(name: object) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _fault(interface: type[Interface], provider: object) -> str:
    try:
        verifyObject(interface, provider)
    except Invalid as error:
        # zope's text names object, interface and all that is missing, over
        # several lines.
        return " ".join(str(error).split())
    if not _is_name(getattr(provider, "name", None)):
        return f"{provider!r} has no good name; use letters, digits, '_' and '-'"
    if not isinstance(getattr(provider, "description", None), str):
        return f"{provider!r} has no good description; it is one line of text"
    return ""
