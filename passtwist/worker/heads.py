"""Encode the status and headers that a WSGI app gives, and say what is wrong.

Runs in: workers.  Apps answer with the same lines again and again, so lines
that were checked once are remembered.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

# Forgotten all at once when there are more: a header that differs in each
# answer must not fill the memory.
MAX_REMEMBERED = 512
MAX_REMEMBERED_LENGTH = 256

# Status to its line, and whether it forbids a body.
known_statuses: Dict[str, Tuple[bytes, bool]] = {}
# (name, value) to its line.  Content-Length is never in here.
known_lines: Dict[Tuple[str, str], bytes] = {}


class BrokenAnswer(Exception):
    """The app does not keep to PEP 3333; the message says how."""


def encode_status(status: Any) -> Tuple[bytes, bool]:  # whatever an app gives
    """The line of *status*, and whether it forbids a body.

    :raises BrokenAnswer: it is not like ``200 OK``.
    """
    if (
        not isinstance(status, str)
        or status[3:4] != " "
        or not (status[:3].isascii() and status[:3].isdigit())
    ):
        raise BrokenAnswer('status is %r; it must be like "200 OK"' % (status,))
    code = status[:3]
    result = (_line(status), code[0] == "1" or code in ("204", "304"))
    if len(known_statuses) >= MAX_REMEMBERED:
        known_statuses.clear()
    known_statuses[status] = result
    return result


def encode_header(header: Any) -> Tuple[bytes, Optional[int]]:  # whatever an app gives
    """The line of a pair, and its value if it is Content-Length.

    :raises BrokenAnswer: it is no pair of text, or can't be sent.
    """
    if (
        not isinstance(header, tuple)
        or len(header) != 2
        or not isinstance(header[0], str)
        or not isinstance(header[1], str)
    ):
        raise BrokenAnswer("header %r is not a pair (name, value) of text" % (header,))
    name, value = header
    if not name:
        raise BrokenAnswer("header %r has no name" % (header,))
    line = _line(name + ": " + value)
    if name.lower() == "content-length":
        if not (value.isascii() and value.isdigit()):
            raise BrokenAnswer("Content-Length is %r" % value)
        return line, int(value)
    if len(line) <= MAX_REMEMBERED_LENGTH:
        if len(known_lines) >= MAX_REMEMBERED:
            known_lines.clear()
        known_lines[header] = line
    return line, None


def explain(headers: object) -> BrokenAnswer:
    """Why *headers* can't be gone through."""
    if not isinstance(headers, (list, tuple)):
        return BrokenAnswer("headers are %s, not a list" % type(headers).__name__)
    return BrokenAnswer("headers are not pairs (name, value) of text: %r" % (headers,))


def _line(text: str) -> bytes:
    if "\n" in text or "\r" in text or "\0" in text:
        raise BrokenAnswer("a line break or NUL in status or headers: %r" % text)
    try:
        return text.encode("latin-1") + b"\r\n"
    except UnicodeEncodeError:
        raise BrokenAnswer("status or header is not latin-1: %r" % text) from None
