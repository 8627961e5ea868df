"""The access log: lines are formatted late and written in batches.

Runs in: the controller.

Neither a full disk nor a pipe that nobody reads may stop the server: what can't
be written without waiting is kept for a while, then dropped and counted.
"""

from __future__ import annotations

import os
import select
import stat
from typing import TYPE_CHECKING

from twisted.logger import Logger

from passtwist.errors import StartupError
from passtwist.http.log_format import FORMATS

if TYPE_CHECKING:
    from passtwist.http.log_format import Entry

_log = Logger()

# A pipe that is writable takes this much without blocking (Linux: PIPE_BUF).
_PIPE_PIECE = 4096
_KEPT_BYTES = 1 << 20
_BATCH = 512


class AccessLog:
    """Writes one line for each response.

    :ivar dropped: lines lost because their target did not take them.
    """

    def __init__(self, target: str = "off", line_format: str = "combined") -> None:
        """
        :param target: path of a file, ``-`` for standard output, or ``off``.
        :param line_format: ``combined`` or ``json``.
        :raises KeyError: no such format.
        """
        self._target = target
        self._format = FORMATS[line_format]
        self._entries: list[Entry] = []
        self._unwritten = b""
        self._failing = False
        self._descriptor = -1
        self._regular = False
        self.dropped = 0
        self.enabled = target != "off"

    def open(self) -> None:
        """Open the file.  Until then lines are kept.

        :raises StartupError: it can't be opened.
        """
        if not self.enabled:
            return
        try:
            self._open()
        except OSError as error:
            raise StartupError(
                f"access_log {self._target}: {error.strerror}; set access_log to a "
                "file that can be written"
            ) from error

    def record(self, entry: Entry) -> None:
        """Take in one response; written with the next `flush`."""
        self._entries.append(entry)
        if len(self._entries) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what there is, as far as it can be written without waiting."""
        if self._entries:
            entries, self._entries = self._entries, []
            self._unwritten += b"".join(map(self._format, entries))
        if self._unwritten and self._descriptor >= 0:
            self._write()

    def reopen(self) -> None:
        """Open the file anew: it has been rotated away.  Never raises."""
        self.flush()
        if self._target in ("-", "off"):
            return
        old = self._descriptor
        try:
            self._open()
        except OSError as error:
            _log.error("the access log can't be reopened: {error}", error=error)
            return
        self._failing = False
        if old >= 0:
            os.close(old)

    def take_over(self, other: AccessLog) -> None:
        """From the next line on, write as *other* would; it is open, and unused."""
        self.close()
        self.dropped += self._unwritten.count(b"\n")
        self._target, self._format = other._target, other._format
        self._descriptor, self.enabled = other._descriptor, other.enabled
        self._regular = other._regular
        self._unwritten, self._failing = b"", False

    def close(self) -> None:
        """Write what is left and close the file."""
        self.flush()
        if self._descriptor >= 0 and self._target != "-":
            os.close(self._descriptor)
        self._descriptor = -1
        self.enabled = False

    def _open(self) -> None:
        if self._target == "-":
            self._descriptor = 1
        else:
            # O_NONBLOCK: opening a FIFO that has no reader must not hang.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self._target, flags | os.O_NONBLOCK, 0o640)
        mode = os.fstat(self._descriptor).st_mode
        self._regular = stat.S_ISREG(mode)

    def _write(self) -> None:
        try:
            while self._unwritten and self._writable():
                size = len(self._unwritten) if self._regular else _PIPE_PIECE
                written = os.write(self._descriptor, self._unwritten[:size])
                self._unwritten = self._unwritten[written:]
        except BlockingIOError:
            pass
        except OSError as error:
            if not self._failing:
                _log.error("the access log can't be written: {error}", error=error)
            self._failing = True
        else:
            self._failing = False
        if len(self._unwritten) > _KEPT_BYTES:
            self._drop()

    def _writable(self) -> bool:
        if self._regular:
            return True
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(0))

    def _drop(self) -> None:
        # The first line may be half written; it has to be ended properly.
        first, newline, rest = self._unwritten.partition(b"\n")
        self._unwritten = first + newline
        self.dropped += rest.count(b"\n")
