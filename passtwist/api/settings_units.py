"""Durations and sizes as people write them.

Runs in: the controller and the command.  Pure.
"""

from __future__ import annotations

import re

SECOND = 1.0
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

_DURATIONS = {"ms": 0.001, "s": SECOND, "m": MINUTE, "h": HOUR}
# Powers of two only: "MB" means 1000 to some and 1024 to others.
_SIZES = {"B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB}
# At most 12 digits: int() of thousands of them is slow and then refused.
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|s|m|h)?")
_SIZE = re.compile(r"([0-9]{1,12})(B|KiB|MiB|GiB)?")


def parse_duration(raw: object) -> float:
    """Seconds of ``"30s"``, ``"1.5m"``, ``"1h"``, ``"250ms"`` or a plain number.

    :raises ValueError: it is none of these; no message worth showing.
    """
    if isinstance(raw, str):
        match = _DURATION.fullmatch(raw.strip())
        if match is None:
            raise ValueError(raw)
        return float(match[1]) * _DURATIONS[match[2] or "s"]
    # bool is an int in Python; `true` is no duration.
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        seconds = float(raw)
        if 0 <= seconds < float("inf"):
            return seconds
    raise ValueError(raw)


def parse_size(raw: object) -> int:
    """Bytes of ``"128KiB"``, ``"100MiB"``, ``"1GiB"`` or a plain number.

    :raises ValueError: it is none of these; no message worth showing.
    """
    if isinstance(raw, str):
        match = _SIZE.fullmatch(raw.strip())
        if match is None:
            raise ValueError(raw)
        return int(match[1]) * _SIZES[match[2] or "B"]
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
        return raw
    raise ValueError(raw)


def show_duration(seconds: float) -> str:
    """How one would write it: ``"30m"``, ``"90s"``; whole seconds exactly."""
    for unit, factor in (("h", HOUR), ("m", 5 * MINUTE), ("s", SECOND)):
        if seconds and seconds % factor == 0:
            return f"{int(seconds / _DURATIONS[unit])}{unit}"
    return f"{seconds:g}s"


def show_size(size: int) -> str:
    """The shortest exact way to write it: ``"100MiB"``, ``"500"``."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _SIZES[unit] == 0:
            return f"{size // _SIZES[unit]}{unit}"
    return str(size)
