"""The access log: lines are formatted late and written in batches.

Runs in: the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.logger import Logger

from passtwist.api.log_target import LogTarget
from passtwist.errors import StartupError
from passtwist.http.log_format import FORMATS

if TYPE_CHECKING:
    from passtwist.http.log_format import Entry

OFF = "off"

_log = Logger(namespace="passtwist.http")
_BATCH = 512


class AccessLog:
    """Writes one line for each response, and never waits.

    :ivar enabled: anything is to be recorded.
    """

    def __init__(self, target: str = OFF, line_format: str = "combined") -> None:
        """
        :param target: path of a file, ``-`` for standard output, or ``off``.
        :param line_format: ``combined`` or ``json``.
        :raises KeyError: no such format.
        """
        self._target = LogTarget(target, _tell)
        self._format = FORMATS[line_format]
        self._entries: list[Entry] = []
        self._dropped = 0
        self.enabled = target != OFF

    @property
    def dropped(self) -> int:
        """Lines lost because their target did not take them."""
        return self._dropped + self._target.dropped

    def open(self) -> None:
        """Open the file.  Until then lines are kept.

        :raises StartupError: it can't be opened.
        """
        if not self.enabled:
            return
        try:
            self._target.open()
        except OSError as error:
            raise StartupError(
                f"access_log {self._target.path}: {error.strerror}; set access_log "
                "to a file that can be written"
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
            self._target.write(b"".join(map(self._format, entries)))
        else:
            self._target.flush()

    def reopen(self) -> None:
        """Open the file anew: it has been rotated away.  Never raises."""
        if not self.enabled:
            return
        self.flush()
        try:
            self._target.reopen()
        except OSError as error:
            _tell(f"can't be reopened, the file that is open stays: {error}")

    def take_over(self, other: AccessLog) -> None:
        """From the next line on, write as *other* would; it is open, and unused."""
        self.close()
        self._dropped += self._target.dropped
        self._target, self._format = other._target, other._format
        self.enabled = other.enabled

    def close(self) -> None:
        """Write what is left and close the file."""
        self.flush()
        self._target.close()
        self.enabled = False


def _tell(text: str) -> None:
    _log.error("the access log {text}", text=text)
