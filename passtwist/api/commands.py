"""What a command of the admin API may say instead of an answer.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from passtwist.errors import PasstwistError

if TYPE_CHECKING:
    from collections.abc import Mapping

_IN_WORDS = {str: "a text", int: "a whole number", bool: "true or false"}


class CommandError(PasstwistError):
    """It can't be done, or makes no sense; the message says why.

    :ivar status: HTTP status of the answer.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def checked(
    given: Mapping[str, Any],
    required: Mapping[str, type] | None = None,
    optional: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """The arguments of a command, all of them and no others.

    :param required: names and types: str, int or bool.
    :param optional: names and defaults, of whose type they must be.
    :raises CommandError: one is missing, unknown or of another type (400).
    """
    kinds = dict(required or {})
    found = dict(optional or {})
    kinds.update({name: type(default) for name, default in found.items()})
    for name, value in given.items():
        if name not in kinds:
            known = ", ".join(kinds) or "none"
            raise CommandError(
                400, f"there is no argument {name!r}; there are: {known}"
            )
        # type(): to Python, true is a whole number.
        if type(value) is not kinds[name]:
            raise CommandError(400, f"{name} must be {_IN_WORDS[kinds[name]]}")
        found[name] = value
    for name, kind in kinds.items():
        if name not in found:
            raise CommandError(400, f"{name} is missing; it is {_IN_WORDS[kind]}")
    return found
