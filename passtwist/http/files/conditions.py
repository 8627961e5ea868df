"""Does a client have the file already, and which part of it is wanted?

Runs in: the controller.  Pure.  RFC 9110, 13 (conditions) and 14 (ranges).
"""

from __future__ import annotations

import re
from calendar import timegm
from email.utils import formatdate, parsedate_tz
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_find_tags = re.compile(rb'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"').findall
_match_range = re.compile(rb"bytes=[ \t]*([0-9]{0,19})-([0-9]{0,19})[ \t]*").fullmatch


# The headers that this module reads; most requests have none of them.
CONDITIONAL = frozenset(
    (
        *(b"HTTP_IF_MATCH", b"HTTP_IF_NONE_MATCH", b"HTTP_IF_MODIFIED_SINCE"),
        *(b"HTTP_IF_UNMODIFIED_SINCE", b"HTTP_IF_RANGE", b"HTTP_RANGE"),
    )
)


class Validators(NamedTuple):
    """What tells one state of a file from another.

    :ivar tag: value of ETag, b"" without one.
    :ivar modified: value of Last-Modified, b"" without one.
    """

    tag: bytes
    modified: bytes


class Part(NamedTuple):
    """A piece of a file, in bytes.

    :ivar whole: it was not asked for a piece.
    """

    start: int
    length: int
    whole: bool


# Many files of a site are of the same second.
@lru_cache(maxsize=512)
def http_date(seconds: int) -> bytes:
    """Seconds of the epoch as headers have them."""
    return formatdate(seconds, usegmt=True).encode("ascii")


def outcome(headers: Mapping[bytes, bytes], validators: Validators) -> int:
    """200, 304 or 412, for a GET or HEAD.

    :param headers: CGI keys and values.
    """
    tag, modified = validators
    if_match = headers.get(b"HTTP_IF_MATCH")
    if if_match is not None:
        if not _names(if_match, tag, strongly=True):
            return 412
    elif _is_newer(modified, headers.get(b"HTTP_IF_UNMODIFIED_SINCE")):
        return 412
    if_none_match = headers.get(b"HTTP_IF_NONE_MATCH")
    if if_none_match is not None:
        return 304 if _names(if_none_match, tag, strongly=False) else 200
    since = headers.get(b"HTTP_IF_MODIFIED_SINCE")
    if since is not None and modified:
        if since == modified:
            return 304
        seconds = _seconds(since)
        if seconds is not None and not _is_newer(modified, since):
            return 304
    return 200


def part_of(
    headers: Mapping[bytes, bytes], validators: Validators, size: int
) -> Part | None:
    """What a GET asks for of a file of *size* bytes.

    Several ranges at once are answered by the whole, as is what can't be read.

    :returns: None when there is no such part (status 416).
    """
    whole = Part(0, size, True)
    value = headers.get(b"HTTP_RANGE")
    match = _match_range(value.lower()) if value is not None else None
    if match is None or not _is_unchanged(headers.get(b"HTTP_IF_RANGE"), validators):
        return whole
    first, last = match.groups()
    if not first:
        if not last:
            return whole
        length = min(int(last), size)
        return Part(size - length, length, False) if length else None
    start = int(first)
    end = int(last) if last else size - 1
    if last and end < start:
        return whole
    if start >= size:
        return None
    return Part(start, min(end, size - 1) - start + 1, False)


def _names(value: bytes, tag: bytes, strongly: bool) -> bool:
    """Is *tag* in the list *value*?"""
    if value == tag and tag and not strongly:
        return True
    if value.strip(b" \t") == b"*":
        return True
    if strongly:
        return not tag.startswith(b"W/") and tag in _find_tags(value)
    plain = tag.removeprefix(b"W/")
    return any(one.removeprefix(b"W/") == plain for one in _find_tags(value))


def _is_unchanged(value: bytes | None, validators: Validators) -> bool:
    """Does If-Range name the file as it is?"""
    if value is None:
        return True
    tag, modified = validators
    if value[:1] == b'"':
        return value == tag
    return bool(modified) and value == modified


def _is_newer(modified: bytes, value: bytes | None) -> bool:
    """Was it modified after the date *value*?  No, when a date can't be read."""
    since = _seconds(value) if value is not None else None
    seconds = _seconds(modified) if modified else None
    return since is not None and seconds is not None and seconds > since


def _seconds(value: bytes) -> int | None:
    """The seconds of an HTTP date, in any of its three forms, or None."""
    # Before it is remembered: it is a client's.
    return _read_date(value) if len(value) <= 64 else None


@lru_cache(maxsize=512)
def _read_date(value: bytes) -> int | None:
    try:
        parsed = parsedate_tz(value.decode("latin-1"))
        return None if parsed is None else timegm(parsed[:9]) - (parsed[9] or 0)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None  # the standard library's reading of dates that are none
