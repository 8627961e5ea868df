"""How a setting is declared: once, with all that is known about it.

Runs in: the controller and the command.  Pure.

From a declaration come the TOML key, the flag, the environment variable, the
validation and the row of the reference page.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from passtwist.api.settings_kinds import Kind

_METADATA = "passtwist"
ENV_PREFIX = "PASSTWIST_"


@dataclass(frozen=True)
class Declaration:
    """One setting.

    :ivar key: its name in TOML and in the settings classes.
    :ivar default: the value, not the text, that it has when nobody sets it.
    :ivar help: one sentence without a full stop.
    :ivar since: the first version that has the key.
    :ivar effective: False for a key whose feature is still to come: it is
        accepted and validated, and a warning says that it does nothing.
    :ivar flag: long name of its flag without dashes, "" for none.
    :ivar short: one letter, "" for none.
    :ivar in_defaults: may stand under ``[defaults]``.
    :ivar live: a reload changes it in place.  For any other key of an app its
        processes are replaced, and one of the server asks for a restart of it.
    """

    key: str
    kind: Kind
    default: object
    help: str
    since: str
    effective: bool
    flag: str
    short: str
    in_defaults: bool
    live: bool

    @property
    def variable(self) -> str:
        """Its environment variable (server keys only)."""
        return ENV_PREFIX + self.key.upper()


# Any: the field specifier's type is that of the default, which only the
# annotation of the attribute can tell.
def setting(
    kind: Kind,
    default: object,
    help: str,  # noqa: A002 - the word that click and argparse use
    *,
    since: str = "0.1",
    effective: bool = True,
    flag: str = "",
    short: str = "",
    in_defaults: bool = True,
    live: bool = False,
) -> Any:
    """Declare a setting, as the right-hand side of an attribute.

    :param default: as it would stand in TOML; it goes through *kind* like
        any other value, so a default can't be wrong.
    """
    value = kind.parse(default)
    facts = {
        "kind": kind,
        "default": value,
        "help": help,
        "since": since,
        "effective": effective,
        "flag": flag,
        "short": short,
        "in_defaults": in_defaults,
        "live": live,
    }
    return attrs.field(default=value, metadata={_METADATA: facts})


@cache
def declarations(cls: type[attrs.AttrsInstance]) -> tuple[Declaration, ...]:
    """All settings of a settings class, in the order of declaration."""
    return tuple(
        Declaration(key=one.name, **one.metadata[_METADATA])
        for one in attrs.fields(cls)
        if _METADATA in one.metadata
    )


def in_effect(settings: attrs.AttrsInstance, key: str) -> Any:
    """The value of *key*, or its default while the key has no effect.

    So a feature that is announced but not there yet behaves as its warning
    says, and switching it on is one mark in the declaration.
    """
    for one in declarations(type(settings)):
        if one.key == key:
            return getattr(settings, key) if one.effective else one.default
    raise KeyError(key)
