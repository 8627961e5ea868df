"""Reading one HTTP answer as far as a load generator must: no I/O here.

The body is counted, not kept.
"""

from __future__ import annotations

import enum

HEX = frozenset(b"0123456789abcdefABCDEF")
LONGEST_HEAD = 65536
LONGEST_LINE = 256


class BadAnswer(Exception):
    """What came is no HTTP answer; the text says why."""


class Part(enum.Enum):
    """What is expected next."""

    HEAD = "head"
    BODY = "body"
    UNTIL_CLOSE = "body until the connection is closed"
    CHUNK_SIZE = "size of a chunk"
    CHUNK_END = "end of a chunk"
    TRAILER = "trailer"
    END = "end"


class Answer:
    """The answer to one GET or POST.

    :ivar status: 0 before the head is complete.
    :ivar length: bytes of body so far.
    :ivar keep_alive: the connection can be used again after this answer.
    :ivar begun: a byte of it has come.
    """

    __slots__ = ("_part", "_rest", "_unread", "begun", "keep_alive", "length", "status")

    def __init__(self) -> None:
        self.status = 0
        self.length = 0
        self.keep_alive = False
        self.begun = False
        self._part = Part.HEAD
        # Of a body or a chunk: bytes still to come.
        self._rest = 0
        # Of a head or a line: what has come of it.
        self._unread = b""

    def feed(self, data: bytes) -> bool:
        """Take what came; true as soon as the answer is complete.

        :raises BadAnswer: it is none, or something follows it.
        """
        self.begun = True
        while data and self._part is not Part.END:
            data = self._step(data)
        if data:
            raise BadAnswer(f"{len(data)} bytes more than the answer has")
        return self._part is Part.END

    def end_of_file(self) -> bool:
        """The server closed the connection; true if the answer is complete."""
        if self._part is Part.UNTIL_CLOSE:
            self._part = Part.END
        return self._part is Part.END

    def _step(self, data: bytes) -> bytes:
        """Take what belongs to the present part; the rest is for the next one."""
        if self._part is Part.HEAD:
            return self._head(data)
        if self._part is Part.UNTIL_CLOSE:
            self.length += len(data)
            return b""
        if self._part is Part.BODY:
            return self._counted(data, Part.END)
        return self._line(data) if self._rest == 0 else self._chunk(data)

    def _head(self, data: bytes) -> bytes:
        text = self._unread + data
        head, end, rest = text.partition(b"\r\n\r\n")
        if not end:
            if len(text) > LONGEST_HEAD:
                raise BadAnswer("a head without an end")
            self._unread = text
            return b""
        self._unread = b""
        self._understand(head)
        return rest

    def _understand(self, head: bytes) -> None:
        first, *lines = head.split(b"\r\n")
        version, _, rest = first.partition(b" ")
        if version not in (b"HTTP/1.1", b"HTTP/1.0") or not rest[:3].isdigit():
            raise BadAnswer(f"begins with {first[:40]!r}")
        status = int(rest[:3])
        if 100 <= status < 200:
            # An interim one: the answer itself follows.
            return
        length = b""
        chunked = False
        connection = b""
        for line in lines:
            name, _, value = line.partition(b":")
            name = name.lower()
            if name == b"content-length":
                length = value.strip()
            elif name == b"transfer-encoding":
                chunked = value.strip().lower() == b"chunked"
            elif name == b"connection":
                connection = value.strip().lower()
        self.status = status
        if version == b"HTTP/1.1":
            self.keep_alive = b"close" not in connection
        else:
            self.keep_alive = b"keep-alive" in connection
        self._expect_body(length, chunked)

    def _expect_body(self, length: bytes, chunked: bool) -> None:
        if self.status in (204, 304):
            self._part = Part.END
        elif chunked:
            self._part = Part.CHUNK_SIZE
        elif not length:
            self.keep_alive = False
            self._part = Part.UNTIL_CLOSE
        elif not length.isdigit():
            raise BadAnswer(f"Content-Length {length[:40]!r}")
        else:
            self._rest = int(length)
            self._part = Part.BODY if self._rest else Part.END

    def _counted(self, data: bytes, then: Part) -> bytes:
        taken = min(len(data), self._rest)
        self.length += taken
        self._rest -= taken
        if not self._rest:
            self._part = then
        return data[taken:]

    def _chunk(self, data: bytes) -> bytes:
        return self._counted(data, Part.CHUNK_END)

    def _line(self, data: bytes) -> bytes:
        """One line of what surrounds the chunks."""
        text = self._unread + data
        line, end, rest = text.partition(b"\r\n")
        if not end:
            if len(text) > LONGEST_LINE:
                raise BadAnswer("a line among the chunks without an end")
            self._unread = text
            return b""
        self._unread = b""
        if self._part is Part.CHUNK_SIZE:
            size = line.partition(b";")[0].strip()
            if not size or not HEX.issuperset(size):
                raise BadAnswer(f"size of a chunk {line[:40]!r}")
            self._rest = int(size, 16)
            if not self._rest:
                self._part = Part.TRAILER
        elif self._part is Part.CHUNK_END:
            if line:
                raise BadAnswer("a chunk longer than its size")
            self._part = Part.CHUNK_SIZE
        elif not line:
            self._part = Part.END
        return rest
