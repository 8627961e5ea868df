"""The formats of an access log line.

Runs in: the controller.  Pure.
"""

from __future__ import annotations

import json
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Entry(NamedTuple):
    """One response.

    :ivar at: seconds since the epoch at which the request was complete.
    :ivar seconds: from then until the response was handed over.
    :ivar remote: the client's address.
    :ivar pairs: the request's CGI variables.
    :ivar sent: bytes of the body.
    :ivar app: name, or "" when no app was concerned.
    :ivar worker: pid of the worker, 0 without one.
    :ivar attempts: workers that were tried.
    :ivar complete: False when the response was cut off.
    """

    at: float
    seconds: float
    remote: bytes
    method: bytes
    target: bytes
    http11: bool
    status: int
    sent: int
    pairs: Sequence[bytes]
    request_id: bytes
    app: str
    worker: int
    attempts: int
    complete: bool


_UNSAFE = re.compile(rb'[^\x20-\x7e]|["\\]')
_SAFE_BYTES = bytes(set(range(0x20, 0x7F)) - set(b'"\\'))
# Not strftime's, which follow the locale.
_MONTHS = b"Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec".split(b",")


def combined(entry: Entry) -> bytes:
    """The line that Apache and nginx call combined; times in UTC."""
    return b'%b - - [%b] "%b %b %b" %d %b "%b" "%b"\n' % (
        entry.remote or b"-",
        _date(int(entry.at)),
        _escaped(entry.method) or b"-",
        _escaped(entry.target) or b"-",
        _protocol(entry),
        entry.status,
        b"%d" % entry.sent if entry.sent else b"-",
        _escaped(_value(entry.pairs, b"HTTP_REFERER")) or b"-",
        _escaped(_value(entry.pairs, b"HTTP_USER_AGENT")) or b"-",
    )


# Many lines are of the same second.
@lru_cache(maxsize=8)
def _date(at: int) -> bytes:
    time_of = time.gmtime(at)
    return b"%02d/%b/%04d:%02d:%02d:%02d +0000" % (
        time_of.tm_mday,
        _MONTHS[time_of.tm_mon - 1],
        time_of.tm_year,
        *time_of[3:6],
    )


def as_json(entry: Entry) -> bytes:
    """One JSON object; times in seconds, sizes in bytes."""
    text = json.dumps(
        {
            "at": round(entry.at, 3),
            "seconds": round(entry.seconds, 6),
            "remote": entry.remote.decode("latin-1"),
            "method": entry.method.decode("latin-1"),
            "target": entry.target.decode("latin-1"),
            "protocol": _protocol(entry).decode("ascii"),
            "host": _value(entry.pairs, b"HTTP_HOST").decode("latin-1"),
            "status": entry.status,
            "sent": entry.sent,
            "complete": entry.complete,
            "referer": _value(entry.pairs, b"HTTP_REFERER").decode("latin-1"),
            "user_agent": _value(entry.pairs, b"HTTP_USER_AGENT").decode("latin-1"),
            "request_id": entry.request_id.decode("latin-1"),
            "app": entry.app,
            "worker": entry.worker,
            "attempts": entry.attempts,
        }
    )
    return text.encode("ascii") + b"\n"


FORMATS: dict[str, Callable[[Entry], bytes]] = {"combined": combined, "json": as_json}


def _protocol(entry: Entry) -> bytes:
    return b"HTTP/1.1" if entry.http11 else b"HTTP/1.0"


def _value(pairs: Sequence[bytes], key: bytes) -> bytes:
    try:
        return pairs[pairs[::2].index(key) * 2 + 1]
    except ValueError:
        return b""


def _escaped(text: bytes) -> bytes:
    r"""Control characters, quotes and others as ``\xNN``: a line stays a line."""
    if not text.translate(None, _SAFE_BYTES):
        return text
    return _UNSAFE.sub(lambda match: b"\\x%02x" % match[0][0], text)
