"""The kinds of values that a setting can hold.

Runs in: the controller and the command.  Pure.

A kind turns what TOML gives, or the text of a flag or environment variable,
into the value that the program uses.  It raises ValueError with a message for
the operator: what is wrong; what would be right.  Of a value with several parts it
says so for each that is wrong, a line for each.
"""

from __future__ import annotations

import json
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol, TypeVar

from passtwist.api.settings_units import (
    parse_duration,
    parse_size,
    show_duration,
    show_size,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

P = TypeVar("P")

MAX_ECHO = 200


def quoted(raw: object) -> str:
    """*raw* as a message shows it: one line, printable, not long."""
    text = json.dumps(raw, default=str)
    return text if len(text) <= MAX_ECHO else text[: MAX_ECHO - 3] + "..."


def parsed(parts: Iterable[Callable[[], P]]) -> list[P]:
    """What all of *parts* give.

    :raises ValueError: with what each of those says that are wrong.
    """
    good, problems = [], []
    for part in parts:
        try:
            good.append(part())
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("\n".join(dict.fromkeys(problems)))
    return good


class Kind(Protocol):
    """What a declaration needs to know about its values."""

    name: str  # for the reference page: "duration"

    def parse(self, raw: object) -> object:
        """The value; *raw* is what TOML gave.  Raises ValueError."""

    def from_text(self, text: str) -> object:
        """What TOML would have given for *text*.  Raises ValueError."""

    def show(self, value: object) -> str:
        """*value* as one would write it in TOML."""


class Text:
    """One line of text.

    :param check: returns the value in its normal form or raises ValueError.
    :param empty: may it be empty?
    """

    name = "text"

    def __init__(
        self, check: Callable[[str], str] | None = None, empty: bool = True
    ) -> None:
        self._check = check
        self._empty = empty

    def parse(self, raw: object) -> str:
        if not isinstance(raw, str):
            raise ValueError(f"{quoted(raw)} is no text; write it in quotes")
        if not raw and not self._empty:
            raise ValueError("it is empty; write something between the quotes")
        if not raw.isprintable():
            raise ValueError(f"{quoted(raw)} holds a control character; remove it")
        return self._check(raw) if self._check and raw else raw

    def from_text(self, text: str) -> object:
        return text

    def show(self, value: object) -> str:
        return json.dumps(value)


class Choice:
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self._words = words
        self.name = " or ".join(f'"{word}"' for word in words if word)

    def parse(self, raw: object) -> str:
        if isinstance(raw, str) and raw in self._words:
            return raw
        raise ValueError(f"{quoted(raw)} is not known here; write {self.name}")

    def from_text(self, text: str) -> object:
        return text

    def show(self, value: object) -> str:
        return json.dumps(value)


class Switch:
    """true or false."""

    name = "true or false"
    _TEXTS = {"true": True, "yes": True, "on": True, "1": True}
    _TEXTS |= {"false": False, "no": False, "off": False, "0": False}

    def parse(self, raw: object) -> bool:
        if isinstance(raw, bool):
            return raw
        raise ValueError(f"{quoted(raw)} is no switch; write true or false")

    def from_text(self, text: str) -> object:
        return self._TEXTS.get(text.strip().lower(), text)

    def show(self, value: object) -> str:
        return json.dumps(value)


class Integer:
    """A whole number within bounds."""

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most
        self.name = f"whole number, {least} to {most}"

    def parse(self, raw: object) -> int:
        right = f"write a whole number from {self._least} to {self._most}"
        if isinstance(raw, bool) or not isinstance(raw, int):
            raise ValueError(f"{quoted(raw)} is no whole number; {right}")
        if raw < self._least:
            raise ValueError(f"{quoted(raw)} is too small; {right}")
        if raw > self._most:
            raise ValueError(f"{quoted(raw)} is too large; {right}")
        return raw

    def from_text(self, text: str) -> object:
        plain = text.strip()
        digits = plain.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) <= 18:
            return int(plain)
        return text

    def show(self, value: object) -> str:
        return json.dumps(value)


class Duration:
    """Seconds.

    :param least: the least number of seconds; 0 lets 0 mean "off".
    """

    name = "duration"

    def __init__(self, least: float = 0.0) -> None:
        self._least = least

    def parse(self, raw: object) -> float:
        try:
            seconds = parse_duration(raw)
        except ValueError:
            right = 'write "30s", "5m", "1h" or a number of seconds'
            raise ValueError(f"{quoted(raw)} is no duration; {right}") from None
        if seconds < self._least:
            least = show_duration(self._least)
            raise ValueError(
                f'{quoted(raw)} is too short; write at least "{least}"'
            ) from None
        return seconds

    def from_text(self, text: str) -> object:
        return text

    def show(self, value: object) -> str:
        assert isinstance(value, float)
        return f'"{show_duration(value)}"'


class Size:
    """Bytes.

    :param least: the least number of bytes; 0 lets 0 mean "off".
    """

    name = "size"

    def __init__(self, least: int = 0) -> None:
        self._least = least

    def parse(self, raw: object) -> int:
        try:
            size = parse_size(raw)
        except ValueError:
            right = 'write "128KiB", "100MiB", "1GiB" or a number of bytes'
            raise ValueError(f"{quoted(raw)} is no size; {right}") from None
        if size < self._least:
            least = show_size(self._least)
            raise ValueError(f'{quoted(raw)} is too small; write at least "{least}"')
        return size

    def from_text(self, text: str) -> object:
        return text

    def show(self, value: object) -> str:
        assert isinstance(value, int)
        return f'"{show_size(value)}"'


class Umask:
    """A file mode creation mask, in octal digits."""

    name = "octal digits"

    def parse(self, raw: object) -> int:
        if isinstance(raw, str) and 0 < len(raw) <= 4 and set(raw) <= set("01234567"):
            mask = int(raw, 8)
            if mask <= 0o777:
                return mask
        # A bare 022 is no TOML and a bare 22 would be decimal.
        raise ValueError(
            f'{quoted(raw)} is no umask; write octal digits in quotes, as "022"'
        )

    def from_text(self, text: str) -> object:
        return text

    def show(self, value: object) -> str:
        return f'"{value:03o}"'


class TextList:
    """A list of texts, each checked on its own.

    :param check: as for `Text`.
    """

    name = "list of texts"

    def __init__(
        self, check: Callable[[str], str] | None = None, empty: bool = True
    ) -> None:
        self._item = Text(check)
        self._empty = empty

    def parse(self, raw: object) -> tuple[str, ...]:
        if not isinstance(raw, (list, tuple)):
            raise ValueError(f'{quoted(raw)} is no list; write ["...", "..."]')
        if not raw and not self._empty:
            raise ValueError("the list is empty; write at least one")
        if "" in raw:
            raise ValueError("one of the texts is empty; remove it")
        return tuple(parsed(partial(self._item.parse, one) for one in raw))

    def from_text(self, text: str) -> object:
        """Split at spaces: neither endpoints nor networks hold any."""
        return text.split()

    def show(self, value: object) -> str:
        return json.dumps(value)


class Table:
    """Names with values, kept as sorted pairs so that settings stay hashable.

    :param check_name: raises ValueError for a name that can't be.
    :param value: the kind of the values.
    """

    name = "table"

    def __init__(self, check_name: Callable[[str], str], value: Kind) -> None:
        self._check_name = check_name
        self._value = value

    def parse(self, raw: object) -> tuple[tuple[str, object], ...]:
        if not isinstance(raw, dict):
            raise ValueError(f'{quoted(raw)} is no table; write {{ NAME = "..." }}')
        pairs = sorted(parsed(partial(self._pair, *pair) for pair in raw.items()))
        for (name, _), (other, _) in pairwise(pairs):
            if name == other:
                raise ValueError(f"{name} is there twice; remove one of them")
        return tuple(pairs)

    def _pair(self, name: str, value: object) -> tuple[str, object]:
        checked = self._check_name(name)
        try:
            return checked, self._value.parse(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None

    def from_text(self, text: str) -> object:
        return text

    def show(self, value: object) -> str:
        return "{}" if not value else str(value)
