"""Small files that were asked for a moment ago, kept in memory for that moment.

Runs in: the controller.

To find and open a file safely costs more than all else that is done for its request.
So what was sent within the same second is sent again as it was; then it is looked for
anew.  Nobody waits longer than that for a change.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from passtwist.http.file_answer import head_of, read_part
from passtwist.http.file_conditions import Part
from passtwist.http.file_open import NoFile

if TYPE_CHECKING:
    from passtwist.http.file_answer import FileAnswer

MAX_FILE = 64 * 1024
MAX_BYTES = 4 << 20
MAX_FILES = 512


class HeldFiles:
    """The answers of one site.

    A key is the path as the client wrote it, and which compressed copies it takes.
    """

    __slots__ = ("_answers", "_room")

    def __init__(self) -> None:
        self._answers: dict[tuple[bytes, bytes], FileAnswer] = {}
        self._room = MAX_BYTES

    def __bool__(self) -> bool:
        return bool(self._answers)

    def get(self, path: bytes, codings: bytes) -> FileAnswer | None:
        """What was kept."""
        return self._answers.get((path, codings))

    def keep(self, path: bytes, codings: bytes, answer: FileAnswer) -> FileAnswer:
        """Keep a file if it is small and there is room.

        :returns: the answer to be sent.
        :raises NoFile: it can't be read; it is closed.
        """
        file = answer.file
        size, key = file.size, len(path) + len(codings)
        if size > MAX_FILE or size + key > self._room:
            return answer
        if len(self._answers) >= MAX_FILES:
            return answer
        try:
            body = read_part(file, Part(0, size, True))
        except OSError as error:
            raise NoFile(f"the file can't be read: {error.strerror}", 500) from error
        finally:
            os.close(file.descriptor)
        head = head_of(answer, Part(0, size, True))
        kept = answer._replace(body=body, head=head)
        self._answers[path, codings] = kept
        self._room -= size + key
        return kept

    def forget(self) -> None:
        """Look for all of them anew."""
        if self._answers:
            self._answers.clear()
            self._room = MAX_BYTES
