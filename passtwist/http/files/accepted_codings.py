"""Which compressed copy of a file a client would like: Accept-Encoding.

Runs in: the controller.  Pure.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple


class Coding(NamedTuple):
    """A content coding.

    :ivar suffix: of a file's copy in it.
    """

    name: bytes
    suffix: bytes


# The better one first.
CODINGS = (Coding(b"br", b".br"), Coding(b"gzip", b".gz"))

_match_weight = re.compile(
    rb"[ \t]*[qQ][ \t]*=[ \t]*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*"
).fullmatch
_IDENTITY = b"identity"
_ANY = b"*"


# Browsers send a handful of values.
@lru_cache(maxsize=128)
def codings_for(value: bytes) -> tuple[Coding, ...]:
    """The codings to look for, the most wanted first; b"" wants none.

    The file as it is, is always there: nobody is refused it, but a client that would
    rather have it gets it.
    """
    weights = _weights(value)
    any_other = weights.get(_ANY, 0.0)
    plain = weights.get(_IDENTITY, 0.0)
    wanted = [(weights.get(coding.name, any_other), coding) for coding in CODINGS]
    wanted = [(weight, coding) for weight, coding in wanted if weight > 0]
    wanted.sort(key=lambda one: one[0], reverse=True)
    return tuple(coding for weight, coding in wanted if weight >= plain)


def _weights(value: bytes) -> dict[bytes, float]:
    weights: dict[bytes, float] = {}
    for element in value.split(b","):
        name, semicolon, parameter = element.partition(b";")
        name = name.strip(b" \t").lower()
        if name == b"x-gzip":  # RFC 9110, 8.4.1.3: the same
            name = b"gzip"
        weight = 1.0
        if semicolon:
            match = _match_weight(parameter)
            # What can't be read is no wish.
            weight = float(match[1]) if match is not None else 0.0
        if name and name not in weights:
            weights[name] = weight
    return weights
