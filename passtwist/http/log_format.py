"""The formats of an access log line.

Runs in: the controller.  Pure.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Entry(NamedTuple):
    """One response.  Made without names, and taken apart at once: for each request.

    :ivar at: seconds since the epoch at which the request's head was complete.
    :ivar total: seconds from then until the response was handed over.
    :ivar queue: seconds that it waited for a worker.
    :ivar app_time: seconds from when a worker got it until its response was complete.
    :ivar remote: the client's address.
    :ivar pairs: the request's CGI variables.
    :ivar received: bytes of the request's body.
    :ivar sent: bytes of the response's body.
    :ivar app: name, or "" when no app was concerned.
    :ivar worker: pid of the worker, 0 without one.
    :ivar spawn_method: of that worker, "" without one.
    :ivar attempts: workers that were tried.
    :ivar complete: False when the response was cut off.
    """

    at: float
    total: float
    queue: float
    app_time: float
    remote: bytes
    method: bytes
    target: bytes
    http11: bool
    status: int
    received: int
    sent: int
    pairs: Sequence[bytes]
    request_id: bytes
    app: str
    worker: int
    spawn_method: str
    attempts: int
    complete: bool


_UNSAFE = re.compile(rb'[^\x20-\x7e]|["\\]')
_SAFE_BYTES = bytes(set(range(0x20, 0x7F)) - set(b'"\\'))
# Not strftime's, which follow the locale.
_MONTHS = b"Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec".split(b",")


def combined(entry: Entry) -> bytes:
    """The line that Apache and nginx call combined; times in UTC."""
    pairs, sent = entry.pairs, entry.sent
    names = pairs[::2]
    return b'%b - - [%b] "%b %b %b" %d %b "%b" "%b"\n' % (
        entry.remote or b"-",
        _date(int(entry.at)),
        _escaped(entry.method) or b"-",
        _escaped(entry.target) or b"-",
        b"HTTP/1.1" if entry.http11 else b"HTTP/1.0",
        entry.status,
        b"%d" % sent if sent else b"-",
        _escaped(_value(pairs, names, b"HTTP_REFERER")) or b"-",
        _escaped(_value(pairs, names, b"HTTP_USER_AGENT")) or b"-",
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
    """One JSON object; times in seconds, sizes in bytes.

    Written by hand: `json.dumps` of the same takes three times as long.
    """
    pairs = entry.pairs
    names = pairs[::2]
    text = (
        f'{{"at":{entry.at:.3f},"total_s":{entry.total:.6f}'
        f',"queue_s":{entry.queue:.6f},"app_s":{entry.app_time:.6f}'
        f',"remote":{_quoted(entry.remote)},"method":{_quoted(entry.method)}'
        f',"target":{_quoted(entry.target)}'
        f',"protocol":{_HTTP11 if entry.http11 else _HTTP10}'
        f',"host":{_quoted(_value(pairs, names, b"HTTP_HOST"))}'
        f',"status":{entry.status},"received":{entry.received},"sent":{entry.sent}'
        f',"complete":{"true" if entry.complete else "false"}'
        f',"referer":{_quoted(_value(pairs, names, b"HTTP_REFERER"))}'
        f',"user_agent":{_quoted(_value(pairs, names, b"HTTP_USER_AGENT"))}'
        f',"request_id":{_quoted(entry.request_id)}'
        f',"app":{encode_basestring_ascii(entry.app)},"worker":{entry.worker}'
        f',"spawn_method":{encode_basestring_ascii(entry.spawn_method)}'
        f',"attempts":{entry.attempts}}}\n'
    )
    return text.encode("ascii")


FORMATS: dict[str, Callable[[Entry], bytes]] = {"combined": combined, "json": as_json}

_HTTP11, _HTTP10 = '"HTTP/1.1"', '"HTTP/1.0"'


def _quoted(text: bytes) -> str:
    """As JSON, each byte the character of that number."""
    return encode_basestring_ascii(text.decode("latin-1"))


def _value(pairs: Sequence[bytes], names: Sequence[bytes], name: bytes) -> bytes:
    try:
        return pairs[names.index(name) * 2 + 1]
    except ValueError:
        return b""


def _escaped(text: bytes) -> bytes:
    r"""Control characters, quotes and others as ``\xNN``: a line stays a line."""
    if not text.translate(None, _SAFE_BYTES):
        return text
    return _UNSAFE.sub(lambda match: b"\\x%02x" % match[0][0], text)
