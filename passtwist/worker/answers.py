"""One answer on its way from a WSGI app to the controller.

Runs in: workers, once for every request, so it is written for speed: an
answer of ordinary size is one `sendall`.
"""

from __future__ import annotations

import os
import sys
from time import monotonic
from types import TracebackType
from typing import Any, Callable, List, Optional, Protocol, Sequence, Tuple, Type

from passtwist.wire.frames import (
    HEADER,
    MAX_DIVISIBLE_PAYLOAD,
    MAX_SESSION_PAYLOAD,
    encode_frame,
)
from passtwist.wire.session import BODY, END, FAIL, INTERIM, LAST, START
from passtwist.worker import heads
from passtwist.worker.heads import BrokenAnswer

_ExcInfo = Tuple[Type[BaseException], BaseException, Optional[TracebackType]]
_Headers = List[Tuple[str, str]]

# Up to here a chunk is copied behind its header; beyond, copying costs more
# than the second entry of a gathered write.
JOIN_LIMIT = 32 * 1024

_pack = HEADER.pack
_STATUSES = heads.known_statuses
_LINES = heads.known_lines


class ControllerGone(Exception):
    """The connection broke while answering: nobody wants the rest."""


class Sender(Protocol):
    """What an answer is sent on: a blocking socket, or something before one."""

    def sendall(self, data: Any) -> None:
        """Send all of *data*, anything with a buffer."""

    def sendmsg(self, pieces: Sequence[Any]) -> int:
        """Send *pieces* one behind the other; answers with how many bytes went."""


class Answer:
    """Turns what an app gives into frames.

    :ivar is_started: START has been sent; no other answer is possible.
    :ivar is_complete: the last frame has been sent.
    :ivar completed_at: when that was (CLOCK_MONOTONIC), for a response that
        the app may still be busy with.
    :ivar is_cut: the app gave more than its Content-Length.
    :ivar holds_end: send no last frame before `finish`.
    """

    __slots__ = (
        "_has_no_body",
        "_head",
        "_is_head",
        "_left",
        "_socket",
        "completed_at",
        "holds_end",
        "is_complete",
        "is_cut",
        "is_started",
    )

    def __init__(
        self, connection: Sender, is_head: bool, holds_end: bool = False
    ) -> None:
        self._socket = connection
        self._head: Optional[bytes] = None
        # Bytes that Content-Length still allows; None when it was not given.
        self._left: Optional[int] = None
        self._is_head = self._has_no_body = is_head
        self.is_started = False
        self.is_complete = self.is_cut = False
        self.completed_at = 0.0
        self.holds_end = holds_end

    def start_response(
        self, status: str, headers: _Headers, exc_info: Optional[_ExcInfo] = None
    ) -> Callable[[bytes], None]:
        """PEP 3333's start_response.

        :raises BrokenAnswer: called twice, or with something else than text.
        """
        if exc_info is not None:
            try:
                if self.is_started:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # PEP 3333: no cycle through the frame
        elif self._head is not None:
            raise BrokenAnswer("start_response was called twice without exc_info")
        self._set_head(status, headers)
        return self.write

    def _set_head(self, status: str, headers: _Headers) -> None:
        known = _STATUSES.get(status)
        line, has_no_body = known or heads.encode_status(status)
        left = None
        parts = [line]
        try:
            for header in headers:
                encoded = _LINES.get(header)
                if encoded is None:
                    encoded, left_here = heads.encode_header(header)
                    if left_here is not None:
                        left = left_here
                parts.append(encoded)
        except TypeError:
            raise heads.explain(headers) from None
        head = b"".join(parts)
        if len(head) > MAX_SESSION_PAYLOAD:
            raise BrokenAnswer(
                "status and headers take %d bytes; at most %d can be sent"
                % (len(head), MAX_SESSION_PAYLOAD)
            )
        self._head = head
        self._left = left
        self._has_no_body = has_no_body or self._is_head

    def write(self, data: bytes) -> None:
        """What start_response returned: send a piece of the body now.

        :raises ControllerGone: the connection broke.
        """
        if not isinstance(data, bytes):
            raise BrokenAnswer("the app gave %s, not bytes" % type(data).__name__)
        if not data:
            return
        if self.is_complete:
            self.is_cut = not self._has_no_body
            return
        last = 0
        if self._left is not None:
            # Longer than announced: the client must not take the surplus for
            # the next response.
            if len(data) > self._left:
                data = data[: self._left]
                self.is_cut = not self._has_no_body
            self._left -= len(data)
            if not self._left and not self.holds_end:
                # So that a response of one chunk is one write also when it
                # comes from an iterator, as with Django and Flask.
                last = LAST
        start = b"" if self.is_started else self._take_head(0)
        self._send_body(start, data, last)
        if last:
            self.is_complete = True
            self.completed_at = monotonic()

    def answer_whole(self, data: bytes) -> None:
        """The app returned a list of one: this is the whole body."""
        if not isinstance(data, bytes):
            raise BrokenAnswer("the app gave %s, not bytes" % type(data).__name__)
        head = self._head
        if self.is_started or head is None or self._left is not None:
            self.write(data)
            self.finish()
            return
        size = len(data)
        if not self._has_no_body:
            head += b"Content-Length: %d\r\n" % size
        self.is_started = self.is_complete = True
        if not size:
            self._send(_pack(START, LAST, len(head)) + head)
            return
        start = _pack(START, 0, len(head)) + head
        if size > JOIN_LIMIT:
            self._send_body(start, data, LAST)
        else:
            self._send(start + _pack(BODY, LAST, size) + data)

    def finish(self) -> None:
        """The app has given all of it.

        :raises BrokenAnswer: start_response was not called, or less came than
            Content-Length said.
        """
        if self.is_complete:
            return
        if not self.is_started:
            if self._left and not self._has_no_body and not self._names_a_file():
                raise self._too_short()
            self._send(self._take_head(LAST))
        elif self._left and not self._has_no_body:
            raise self._too_short()
        else:
            self._send(encode_frame(END))
        self.is_complete = True
        self.completed_at = monotonic()

    def fail(self) -> None:
        """There will be no more, and what was sent is not complete."""
        self._send(encode_frame(FAIL))
        self.is_complete = True

    def early_hints(self, headers: _Headers) -> None:
        """``wsgi.early_hints``: a 103 response before the final one."""
        if self.is_started:
            return
        text = "".join(["%s: %s\r\n" % (name, value) for name, value in headers])
        head = ("103 Early Hints\r\n" + text).encode("latin-1")
        self._send(encode_frame(INTERIM, head))

    def _names_a_file(self) -> bool:
        """Somebody else is to send a file in place of the body: its length is that
        of the file, for apps that say one (Flask does)."""
        head = (self._head or b"").lower()
        return b"\nx-sendfile:" in head or b"\nx-accel-redirect:" in head

    def _too_short(self) -> BrokenAnswer:
        return BrokenAnswer(
            "the app gave %d bytes less than its Content-Length says"
            % (self._left or 0)
        )

    def _take_head(self, flags: int) -> bytes:
        head = self._head
        if head is None:
            raise BrokenAnswer("the app did not call start_response")
        self.is_started = True
        return _pack(START, flags, len(head)) + head

    def _send_body(self, start: bytes, data: bytes, last: int) -> None:
        size = len(data)
        if size <= JOIN_LIMIT:
            self._send(start + _pack(BODY, last, size) + data)
            return
        view = memoryview(data)
        while size > MAX_DIVISIBLE_PAYLOAD:
            piece = view[:MAX_DIVISIBLE_PAYLOAD]
            self._send_gathered(start + _pack(BODY, 0, len(piece)), piece)
            view, start = view[MAX_DIVISIBLE_PAYLOAD:], b""
            size = len(view)
        self._send_gathered(start + _pack(BODY, last, size), view)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise ControllerGone(str(error)) from None

    def _send_gathered(self, start: bytes, view: memoryview) -> None:
        """Both in one write, and nothing is copied."""
        try:
            sent = self._socket.sendmsg((start, view)) - len(start)
            # A signal may come in between.
            if sent < 0:
                self._socket.sendall(start[sent:])
                sent = 0
            if sent < len(view):
                self._socket.sendall(view[sent:])
        except OSError as error:
            raise ControllerGone(str(error)) from None


def print_error(text: str) -> None:
    """One write to stderr, so that lines of threads don't mix."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except Exception:  # noqa: BLE001 - said all the same
        # The app has closed it, or put something of its own in its place,
        # which may raise anything and must not end the worker.
        try:
            os.write(2, text.encode("utf-8", "backslashreplace"))
        except OSError:
            pass  # closed as well
