"""From tables, texts and variables to settings, collecting every problem.

Runs in: the controller and the command.
"""

from __future__ import annotations

import difflib
import json
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import attrs
from cattrs import Converter
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, override

from passtwist.api.settings_declare import Declaration, declarations
from passtwist.api.settings_kinds import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from passtwist.api.settings_kinds import Kind

S = TypeVar("S", bound=attrs.AttrsInstance)


def suggestion(word: str, known: Iterable[str]) -> str:
    """``; did you mean "..."?`` or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {json.dumps(close[0])}?" if close else ""


def unknown_key(key: str, cls: type[attrs.AttrsInstance], where: str) -> str:
    """What to say of a key that does not exist."""
    hint = suggestion(key, (one.key for one in declarations(cls)))
    return f"{where}: {quoted(key)[1:-1]}: there is no such key{hint}"


def structure(
    cls: type[S], table: Mapping[str, object], where: str, problems: list[str]
) -> S | None:
    """The settings of *table*, or None after adding to *problems*.

    :param where: names the table in messages, for example ``[[app]] "shop"``.
    """
    try:
        settings: S = _converter(cls).structure(dict(table), cls)
    except ClassValidationError as error:
        problems.extend(_messages(error, cls, where))
        return None
    return settings


def good_defaults(
    cls: type[attrs.AttrsInstance], table: Mapping[str, object], problems: list[str]
) -> dict[str, object]:
    """The right ones among ``[defaults]``.

    They are looked at by themselves, so that a wrong one is reported once and
    not again for each app.
    """
    known = {one.key: one for one in declarations(cls)}
    good = {}
    for key, raw in table.items():
        one = known.get(key)
        if one is None:
            problems.append(unknown_key(key, cls, "[defaults]"))
        elif not one.in_defaults:
            problems.append(
                f"[defaults]: {key}: can't be the same for all apps; "
                "set it under [[app]]"
            )
        elif found := check(one, raw):
            problems += [f"[defaults]: {key}: {problem}" for problem in found]
        else:
            good[key] = raw
    return good


def check(one: Declaration, raw: object) -> list[str]:
    """All that is wrong with *raw* as a value."""
    try:
        one.kind.parse(raw)
    except ValueError as error:
        return str(error).splitlines()
    return []


def from_texts(
    cls: type[attrs.AttrsInstance],
    texts: Mapping[str, str],
    name: Callable[[Declaration], str],
    problems: list[str],
) -> dict[str, object]:
    """The right ones among values that came as text.

    :param texts: by key.
    :param name: how messages call a setting: its flag or its variable.
    :returns: values as TOML would have given them, by key.
    """
    good = {}
    for one in declarations(cls):
        if one.key not in texts:
            continue
        raw = one.kind.from_text(texts[one.key])
        if found := check(one, raw):
            problems += [f"{name(one)}: {problem}" for problem in found]
        else:
            good[one.key] = raw
    return good


def _messages(
    error: ClassValidationError, cls: type[attrs.AttrsInstance], where: str
) -> Iterable[str]:
    noted, others = error.group_exceptions()
    order = [one.key for one in declarations(cls)]
    for problem, note in sorted(noted, key=lambda pair: order.index(pair[1].name)):
        for line in str(problem).splitlines():
            yield f"{where}: {note.name}: {line}"
    for other in others:
        if not isinstance(other, ForbiddenExtraKeysError):
            raise other
        for key in sorted(other.extra_fields):
            yield unknown_key(key, cls, where)


@cache
def _converter(cls: type[attrs.AttrsInstance]) -> Converter:
    """A converter for one settings class, its fields read by their kinds."""
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)

    def hook(kind: Kind) -> Callable[[object, object], object]:
        return lambda raw, _: kind.parse(raw)

    overrides = {
        one.key: override(struct_hook=hook(one.kind)) for one in declarations(cls)
    }
    converter.register_structure_hook(
        cls,
        make_dict_structure_fn(cls, converter, **overrides),  # type: ignore[arg-type]  # override() is what it takes
    )
    return converter
