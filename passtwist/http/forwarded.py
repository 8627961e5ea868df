"""The header Forwarded of RFC 7239.

Runs in: the controller.  Pure.
"""

from __future__ import annotations

import re

from passtwist.http.parsing.grammar import TOKEN_CLASS
from passtwist.http.refusal import Refusal

# A pair, and what separates it from the next one.
_PAIR = re.compile(
    rb"(%b++)=(?:(%b++)|\"((?:[^\"\\]|\\.)*+)\")[ \t]*+(;|,|\Z)[ \t]*+"
    % (TOKEN_CLASS, TOKEN_CLASS)
)
_NOTHING = re.compile(rb"[ \t]*+(?:,[ \t]*+|\Z)")
_ESCAPED = re.compile(rb"\\(.)")


def parse_forwarded(value: bytes) -> list[dict[bytes, bytes]]:
    """What each proxy said, the nearest last; names in lower case.

    :raises Refusal: 400 when it is malformed: a quote that somebody opened
        further left would swallow what a trusted proxy has added.
    """
    elements: list[dict[bytes, bytes]] = []
    current: dict[bytes, bytes] = {}
    position = _skip_empty(value, 0)
    while position < len(value):
        pair = _PAIR.match(value, position)
        if pair is None:
            raise Refusal(400, "Forwarded is malformed")
        name, token, quoted, end = pair.groups()
        name = name.lower()
        if name in current:
            raise Refusal(400, "Forwarded says the same thing twice")
        current[name] = _ESCAPED.sub(rb"\1", quoted) if token is None else token
        position = pair.end()
        if end != b";":
            elements.append(current)
            current = {}
            position = _skip_empty(value, position)
    if current:
        # It ended with a semicolon.
        elements.append(current)
    return elements


def _skip_empty(value: bytes, position: int) -> int:
    """Empty elements of a list are none."""
    while position < len(value):
        nothing = _NOTHING.match(value, position)
        if nothing is None or nothing.end() == position:
            break
        position = nothing.end()
    return position
