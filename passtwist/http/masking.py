"""Hides the values of secrets in text that people get to see.

Runs in: the controller.  Pure.
"""

from __future__ import annotations

import re

MASK = "********"

# Not KeyError, which is followed by a colon in each traceback, nor our own name.
_NAME = (
    r"[A-Za-z0-9_.\-]*(?:KEY(?!Error)|SECRET|TOKEN|PASS(?!twist)|DATABASE_URL)"
    r"[A-Za-z0-9_\-]*"
)
# NAME=value, NAME: value, 'NAME': 'value', "NAME" = "value"
_ASSIGNMENT = re.compile(
    rf"(?P<name>{_NAME})(?P<between>['\"]?\s*(?:=>|[=:])\s*)"
    r"(?P<value>'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"|[^\s,;'\"<>)}\]]+)",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(
    r"(?P<before>[a-z][a-z0-9+.\-]*://[^\s/:@]*:)[^\s/@]+(?=@)", re.I
)


def mask_secrets(text: str) -> str:
    """*text* without the values of names that sound like secrets.

    Masked are values of ``*KEY* *SECRET* *TOKEN* *PASS* DATABASE_URL``,
    assigned in any of the usual notations, and passwords in URLs.
    """

    def masked(match: re.Match[str]) -> str:
        value = match["value"]
        quote = value[0] if value[0] in "'\"" else ""
        return match["name"] + match["between"] + quote + MASK + quote

    text = _ASSIGNMENT.sub(masked, text)
    return _URL_PASSWORD.sub(lambda match: match["before"] + MASK, text)
