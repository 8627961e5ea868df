"""The answer that is a file: its head, and as much of it as is asked for.

Runs in: the controller.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from passtwist.api.failures import RequestFailure
from passtwist.http.files.conditions import (
    CONDITIONAL,
    Part,
    Validators,
    http_date,
    outcome,
    part_of,
)
from passtwist.http.files.session import FileSession
from passtwist.http.refusal import Refusal
from passtwist.http.response_head import CheckedHead

if TYPE_CHECKING:
    from collections.abc import Mapping

    from passtwist.api.interfaces import ISession
    from passtwist.http.exchange import Exchange
    from passtwist.http.files.opening import OpenFile

# Sent at once, with the head; larger ones at the client's pace.
_SMALL = 64 * 1024
_NANOSECONDS = 1_000_000_000
_PARTIAL = b"206 Partial Content\r\n"
_NOT_MODIFIED = b"304 Not Modified\r\n"


class FileAnswer(NamedTuple):
    """A file that is to be sent, and what is said about it.

    :ivar file: open, unless its content is in `body`.
    :ivar status_line: with its line end; that of the whole.
    :ivar validators: for conditional requests; None when they do not count,
        because the status is not 200.
    :ivar kept: header lines that a 304 has as well.
    :ivar lines: the other header lines, without Content-Length and Date.
    :ivar has_request_id: there is one among them.
    :ivar body: its whole content, when that is in memory already.
    :ivar head: of a 200 with all of it, when that was made already.
    """

    file: OpenFile
    status_line: bytes
    validators: Validators | None
    kept: bytes
    lines: bytes
    has_request_id: bool = False
    body: bytes | None = None
    head: CheckedHead | None = None

    def close(self) -> None:
        """It is not to be sent after all."""
        if self.body is None:
            os.close(self.file.descriptor)


def headers_of(exchange: Exchange) -> Mapping[bytes, bytes]:
    """The request's headers, by CGI key."""
    head = exchange.head
    if head is None:
        raise AssertionError("an exchange without a request")
    return dict(zip(head.pairs[::2], head.pairs[1::2], strict=True))


def validators_of(file: OpenFile, suffix: bytes = b"") -> Validators:
    """What tells the state of a file.

    As strong as the clock of the file system is fine.

    :param suffix: tells a compressed copy from the file itself.
    """
    tag = b'"%x-%x%b"' % (file.modified, file.size, suffix.replace(b".", b"-"))
    return Validators(tag, http_date(file.modified // _NANOSECONDS))


def send(
    exchange: Exchange,
    answer: FileAnswer,
    headers: Mapping[bytes, bytes],
    by: ISession | None = None,
) -> None:
    """Answer with a file; closes it in the end, whatever happens.

    :param headers: of the request.
    :param by: the session of the app that asked for it.
    """
    file = answer.file
    part: Part | None = Part(0, file.size, True)
    validators = answer.validators
    if validators is not None and not CONDITIONAL.isdisjoint(headers):
        status = outcome(headers, validators)
        if status != 200:
            answer.close()
            _send_none(exchange, answer, status)
            return
        if not exchange.head_only:
            part = part_of(headers, validators, file.size)
    if part is None:
        answer.close()
        extra = b"Content-Range: bytes */%d\r\n" % file.size
        exchange.refuse(Refusal(416, "there is no such part of it", False, extra))
        return
    _send_part(exchange, answer, part, by)


def _send_none(exchange: Exchange, answer: FileAnswer, status: int) -> None:
    if status == 304:
        head = CheckedHead(304, _NOT_MODIFIED + answer.kept)
        head.has_request_id = answer.has_request_id
        exchange.send_whole(head, b"")
    else:
        exchange.refuse(Refusal(status, "the file is another one by now", False))


def _send_part(
    exchange: Exchange, answer: FileAnswer, part: Part, by: ISession | None
) -> None:
    file, length = answer.file, part.length
    head = (part.whole and answer.head) or head_of(answer, part)
    if answer.body is not None:
        end = part.start + length
        exchange.send_whole(
            head, answer.body if part.whole else answer.body[part.start : end]
        )
        return
    if exchange.head_only or head.bodiless or length <= _SMALL:
        try:
            body = b"" if exchange.head_only else read_part(file, part)
        except OSError as error:
            reason = f"the file can't be read: {error.strerror}"
            exchange.fail(RequestFailure(500, reason))
        else:
            exchange.send_whole(head, body)
        finally:
            os.close(file.descriptor)
        return
    exchange.send_head(head)
    connection = exchange.connection
    session = FileSession(exchange, file.descriptor, part.start, length, by)
    if connection is None:
        session.abandon()
        return
    exchange.session = session
    session.run()


def read_part(file: OpenFile, part: Part) -> bytes:
    """A piece that fits into memory.

    :raises OSError: it can't be read, or has become shorter.
    """
    body = os.pread(file.descriptor, part.length, part.start) if part.length else b""
    if len(body) < part.length:
        raise OSError(0, "it has become shorter")
    return body


def head_of(answer: FileAnswer, part: Part) -> CheckedHead:
    """Made of what was checked, or is ours: it needs no look at each byte."""
    if part.whole:
        status_line, extra = answer.status_line, b""
    else:
        end = part.start + part.length - 1
        status_line = _PARTIAL
        extra = b"Content-Range: bytes %d-%d/%d\r\n" % (
            part.start,
            end,
            answer.file.size,
        )
    head = CheckedHead(
        int(status_line[:3]), b"".join((status_line, answer.lines, answer.kept, extra))
    )
    head.content_length = part.length
    head.has_request_id = answer.has_request_id
    return head
