"""Hides the values of secrets in text that people get to see.

Runs in: every process.  Standard library only, Python 3.9 and newer.  Pure.

Two ways, because each misses what the other one finds: a name that sounds like
a secret's hides what is assigned to it, and the value of an environment
variable with such a name is hidden wherever it stands.
"""

from __future__ import annotations

import re
from typing import Iterable, List, Mapping, Match, Tuple

MASK = "********"

# Patterns are compiled where they are used: most processes never do.

# Not KeyError, which is followed by a colon in each traceback, nor keywords, nor
# the names of our own files and of those that apps are started by.
_SECRET = (
    r"(?:KEY(?!Error|word|board)|SECRET|TOKEN(?!ize)|PASS(?!twist|enger|ed\b|ing\b)"
    r"|CREDENTIAL|_PWD|DATABASE_URL)"
)
# Only from where a name begins and of limited length: text can be a line of
# thousands of letters, and must not take seconds.
_NAME = (
    r"(?<![A-Za-z0-9_.\-])[A-Za-z0-9_.\-]{0,100}" + _SECRET + r"[A-Za-z0-9_\-]{0,100}"
)
# NAME=value, NAME: value, 'NAME': 'value', "NAME" = "value"
_ASSIGNMENT = (
    r"(?i)(?P<name>" + _NAME + r")(?P<between>['\"]?[ \t]{0,8}(?:=>|[=:])[ \t]{0,8})"
    r"(?P<value>b?'(?:[^'\\\n]|\\.)*'|b?\"(?:[^\"\\\n]|\\.)*\"|[^\s,;'\"<>)}\]]+)"
)
# A name without a password may be a token: https://TOKEN@host.
_USERINFO = (
    r"(?<![A-Za-z0-9+.\-])(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]{0,30}://)"
    r"(?:(?P<user>[^\s/:@'\"]*):)?(?P<secret>[^\s/'\"]*)(?=@)"
)
# Shorter values are words and numbers that stand for other things as well.
_LEAST_VALUE = 6


def is_secret(name: str) -> bool:
    """Whether a variable of that name holds a secret, by the sound of it."""
    return re.search(_SECRET, name, re.IGNORECASE) is not None


def mask_secrets(text: str, values: Iterable[str] = ()) -> str:
    """*text* without secrets.

    Masked are values of ``*KEY* *SECRET* *TOKEN* *PASS* *CREDENTIAL* *_PWD*
    DATABASE_URL``, assigned in any of the usual notations, and passwords in
    URLs.

    :param values: further texts to hide; see `secret_values`.
    """
    for value in values:
        text = text.replace(value, MASK)
    text = re.sub(_ASSIGNMENT, _masked_value, text)
    return re.sub(_USERINFO, _masked_userinfo, text)


def secret_values(environ: Mapping[str, str]) -> List[str]:
    """The values of an environment that must not be seen, longest first."""
    found = set()
    for name, value in environ.items():
        if is_secret(name):
            found.add(value)
        for match in re.finditer(_USERINFO, value):
            found.add(match["secret"])
    return sorted(
        (value for value in found if len(value) >= _LEAST_VALUE), key=len, reverse=True
    )


def masked_environment(environ: Mapping[str, str]) -> List[Tuple[str, str]]:
    """Names and values, by name, that can be shown."""
    values = secret_values(environ)
    return [
        (name, MASK if is_secret(name) else mask_secrets(environ[name], values))
        for name in sorted(environ)
    ]


def _masked_value(match: Match[str]) -> str:
    value = match["value"]
    quote = value[-1] if value[-1] in "'\"" else ""
    return match["name"] + match["between"] + quote + MASK + quote


def _masked_userinfo(match: Match[str]) -> str:
    user = match["user"]
    return match["scheme"] + ("" if user is None else user + ":") + MASK
