"""Small files that were asked for a moment ago, kept in memory for that moment.

Runs in: the controller.

To find and open a file safely costs more than all else that is done for its request.
So what was sent within the same second is sent again as it was, and what was not there
is not looked for; then all is forgotten.  Nobody waits longer for a change.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from passtwist.http.files.answer import head_of, read_part
from passtwist.http.files.conditions import Part
from passtwist.http.files.opening import NoFile

if TYPE_CHECKING:
    from passtwist.http.files.accepted_codings import Coding
    from passtwist.http.files.answer import FileAnswer

    # The compressed copies that a client takes: there are five ways.  By the header
    # itself, a client could have us keep as many answers as it likes.
    Codings = tuple[Coding, ...]

MAX_FILE = 64 * 1024
MAX_BYTES = 4 << 20
MAX_MISSING = 512
_MAX_PATH = 256
# About what the objects of one answer take.
_OVERHEAD = 2048


class HeldFiles:
    """The answers of one site, by path, and by which compressed copies a client takes.

    :ivar missing: paths at which there is no file.
    """

    __slots__ = ("_answers", "_room", "missing")

    def __init__(self) -> None:
        self._answers: dict[bytes, dict[Codings, FileAnswer]] = {}
        self._room = MAX_BYTES
        self.missing: set[bytes] = set()

    def __contains__(self, path: bytes) -> bool:
        return path in self._answers

    def get(self, path: bytes, codings: Codings) -> FileAnswer | None:
        """What was kept."""
        return self._answers[path].get(codings)

    def keep(self, path: bytes, codings: Codings, answer: FileAnswer) -> FileAnswer:
        """Keep a file if it is small and there is room.

        :returns: the answer to be sent.
        :raises NoFile: it can't be read; it is closed.
        """
        file = answer.file
        size, cost = file.size, file.size + len(path) + _OVERHEAD
        if size > MAX_FILE or cost > self._room or len(path) > _MAX_PATH:
            return answer
        try:
            body = read_part(file, Part(0, size, True))
        except OSError as error:
            raise NoFile(f"the file can't be read: {error.strerror}", 500) from error
        finally:
            os.close(file.descriptor)
        head = head_of(answer, Part(0, size, True))
        kept = answer._replace(body=body, head=head)
        self._answers.setdefault(path, {})[codings] = kept
        self._room -= cost
        return kept

    def miss(self, path: bytes) -> None:
        """There is no file at *path*."""
        if len(self.missing) < MAX_MISSING and len(path) <= _MAX_PATH:
            self.missing.add(path)

    def forget(self) -> None:
        """Look for all of them anew."""
        self.missing.clear()
        if self._answers:
            self._answers.clear()
            self._room = MAX_BYTES
