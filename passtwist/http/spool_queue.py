"""What waits on disk for one client: a queue in unlinked files of a bounded size.

Runs in: the controller.

In one file, what the client has taken would stay until it has taken everything; and to
give back a large file takes long (0.2 ms for each MiB on ext4), while which nobody is
served.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from passtwist.http.spool import Spool

if TYPE_CHECKING:
    from passtwist.http.buffer_space import BufferSpace

FILE_SIZE = 16 << 20


class SpoolQueue:
    """First in, first out.

    :ivar pending: bytes that are still to be taken.
    :ivar lacks: why `append` did not write everything.
    """

    def __init__(
        self, folder: str, space: BufferSpace, file_size: int = FILE_SIZE
    ) -> None:
        """:raises OSError: no file can be made."""
        self._folder = folder
        self._space = space
        self._file_size = file_size
        self._files = deque([Spool(folder, space)])
        self.pending = 0
        self.lacks = ""

    def append(self, data: bytes | memoryview) -> int:
        """Put *data* behind what is there.

        :returns: how many bytes were written; see `Spool.append`.
        """
        view = memoryview(data)
        done = 0
        while done < len(view):
            last = self._files[-1]
            room = self._file_size - last.written
            if not room:
                try:
                    self._files.append(Spool(self._folder, self._space))
                except OSError as error:
                    self.lacks = str(error)
                    break
                continue
            piece = view[done : done + room]
            stored = last.append(piece)
            done += stored
            if stored < len(piece):
                self.lacks = last.lacks
                break
        self.pending += done
        return done

    def take(self, size: int) -> bytes:
        """The next bytes, at most *size*; none when there are none.

        :raises OSError: a file can't be read.
        """
        if not self._files[0].pending and len(self._files) > 1:
            self._files.popleft().close()
        data = self._files[0].take(size)
        self.pending -= len(data)
        return data

    def close(self) -> None:
        """Give the files back."""
        for file in self._files:
            file.close()
        self.pending = 0
