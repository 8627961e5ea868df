"""The server's own log, when it goes to a file.

Runs in: the controller.

In place of twistd's file, which rotates itself when it has a million bytes, gets in
the way of who else rotates it, and makes an exception of each line while the disk
is full.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, cast

from twisted.logger import Logger, textFileLogObserver

from passtwist.api.log_target import LogTarget
from passtwist.errors import StartupError

if TYPE_CHECKING:
    from twisted.logger import ILogObserver

_log = Logger(namespace="passtwist.service")


class ServerLog:
    """A file that Twisted's log is written to; file-like for its observer."""

    def __init__(self, path: str) -> None:
        """:raises StartupError: it can't be opened."""
        self._target = LogTarget(os.path.abspath(path), self._note)
        try:
            self._target.open()
        except OSError as error:
            raise StartupError(
                f"--logfile {path}: {error.strerror}; name a file that can be written"
            ) from error

    @property
    def dropped(self) -> int:
        """Lines lost because the file did not take them."""
        return self._target.dropped

    def observer(self) -> ILogObserver:
        """Writes events to the file, as twistd's own."""
        # It asks of a file what we have, and no more.
        file = cast("IO[str]", self)
        observer: ILogObserver = textFileLogObserver(file)
        return observer

    def reopen(self) -> None:
        """The file was moved away: open it anew.  Never raises."""
        try:
            self._target.reopen()
        except OSError as error:
            _log.error(
                "the server's log can't be reopened, the file that is open stays: "
                "{error}",
                error=error,
            )

    def write(self, text: str) -> None:
        """One event, ended by a line feed."""
        self._target.write(text.encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        """For the observer, after each event: it is done already."""

    def _note(self, text: str) -> None:
        # Into the log itself, once it takes lines again; before, nobody would see it.
        if not self._target.is_broken:
            _log.error("the server's log {text}", text=text)
