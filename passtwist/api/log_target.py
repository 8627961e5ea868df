"""Where lines of a log go, as far as that takes them without waiting.

Runs in: the controller.

Neither a full disk nor a pipe that nobody reads may stop the server: what can't
be written at once is kept for a while, then dropped and counted.
"""

from __future__ import annotations

import os
import select
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

STANDARD_OUTPUT = "-"
# What is kept for a target that does not take it, in bytes.
KEPT = 1 << 20
# A pipe that is writable takes this much without blocking (Linux: PIPE_BUF).
_PIECE = 4096


class LogTarget:
    """One file, pipe or device.

    :param path: or ``-`` for standard output.
    :param tell: what is wrong with the target, and later that it is well again,
        in words that follow its name; each once.
    :ivar dropped: lines lost because they were not taken.
    :ivar is_broken: the last attempt to write ended with an error.
    """

    def __init__(self, path: str, tell: Callable[[str], None]) -> None:
        self.path = path
        self.dropped = 0
        self.is_broken = False
        self._tell = tell
        self._owned = path != STANDARD_OUTPUT
        self._descriptor = -1
        self._regular = False
        self._poll = select.poll()
        self._unwritten = b""
        self._trouble = ""
        self._dropped_before = 0

    @classmethod
    def on(cls, descriptor: int, tell: Callable[[str], None]) -> LogTarget:
        """One that is open already; closed by `close`."""
        target = cls("", tell)
        target._use(descriptor)
        return target

    @property
    def waiting(self) -> bool:
        """Something has not been taken yet."""
        return bool(self._unwritten)

    def fileno(self) -> int:
        """The descriptor; -1 when it is not open."""
        return self._descriptor

    def open(self) -> None:
        """Open it.  Until then lines are kept.

        :raises OSError: it can't be opened; one that is open stays so.
        """
        if not self._owned:
            self._use(1)
            return
        # O_NONBLOCK: opening a FIFO that has no reader must not hang.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        flags |= os.O_NONBLOCK | os.O_NOCTTY
        old = self._descriptor
        self._use(os.open(self.path, flags, 0o640))
        if old >= 0:
            os.close(old)

    def reopen(self) -> None:
        """The file was moved away: write what there is to it, then open it anew.

        :raises OSError: as `open`.
        """
        self.flush()
        if self._owned:
            self.open()

    def write(self, lines: bytes) -> None:
        """Write lines, or keep them; the last may come in pieces."""
        self._unwritten += lines
        self.flush()

    def flush(self) -> None:
        """Write what there is, as far as it can be written without waiting."""
        if not self._unwritten or self._descriptor < 0:
            return
        try:
            self._write()
            self.is_broken = False
        except OSError as error:
            self.is_broken = True
            self._suffer(f"can't be written: {error.strerror}")
        if len(self._unwritten) > KEPT:
            self._suffer("is not read fast enough, and lines are dropped")
            self._drop_lines()
        elif self._trouble and not self._unwritten:
            self._trouble = ""
            lost = self.dropped - self._dropped_before
            self._dropped_before = self.dropped
            self._tell(f"takes lines again; {lost} were lost")

    def _drop_lines(self) -> None:
        # The first line may be half written, of the last one half may be missing
        # yet; both have to be whole lines in the end.
        first, newline, rest = self._unwritten.partition(b"\n")
        last = rest[rest.rfind(b"\n") + 1 :]
        self.dropped += rest.count(b"\n")
        self._unwritten = first + newline + last
        if len(self._unwritten) > KEPT:
            # Whatever that is, it is no line.
            self.dropped += self._unwritten.count(b"\n") + 1
            self._unwritten = b"\n"

    def drop(self) -> None:
        """Do not wait for the target any more."""
        self.dropped += self._unwritten.count(b"\n")
        self._unwritten = b""

    def close(self) -> None:
        """Close it, with what it has taken."""
        self.flush()
        self.drop()
        if self._descriptor >= 0 and self._owned:
            os.close(self._descriptor)
        self._descriptor = -1

    def _use(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def _suffer(self, trouble: str) -> None:
        if not self._trouble:
            self._trouble = trouble
            self._tell(trouble)

    def _write(self) -> None:
        data = memoryview(self._unwritten)
        begin, end = 0, len(data)
        try:
            while begin < end and (self._regular or self._poll.poll(0)):
                stop = end if self._regular else self._cut(begin)
                begin += os.write(self._descriptor, data[begin:stop])
        except BlockingIOError:
            pass
        finally:
            self._unwritten = self._unwritten[begin:]

    def _cut(self, begin: int) -> int:
        """Where a piece for a pipe ends: others may write to it between two."""
        end = begin + _PIECE
        if end >= len(self._unwritten):
            return end
        return self._unwritten.rfind(b"\n", begin, end) + 1 or end
