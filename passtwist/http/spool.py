"""An unlinked file for what is too large for memory.

Runs in: the controller.  Nothing is left behind, however the process ends.
"""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

from passtwist.errors import SettingsError

if TYPE_CHECKING:
    from passtwist.http.buffer_space import BufferSpace


def open_unlinked(folder: str) -> int:
    """A descriptor, for reading and writing, of a new file without a name.

    :param folder: where; "" for the system's folder for such files.
    :raises OSError: the folder can't be written.
    """
    folder = folder or tempfile.gettempdir()
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        # Some file systems (NFS, older overlays) don't know O_TMPFILE.
        descriptor, path = tempfile.mkstemp(dir=folder)
        os.unlink(path)
        return descriptor


def check_folder(folder: str) -> None:
    """See that files can be made in *folder*, if it is named.

    :raises SettingsError: they can't.
    """
    if found := mistakes_of_folder(folder):
        raise SettingsError(found)


def mistakes_of_folder(folder: str) -> list[str]:
    """Why no files can be made in *folder*, if it is named and they can't."""
    if folder:
        try:
            os.close(open_unlinked(folder))
        except OSError as error:
            why = os.strerror(error.errno or 0)
            remedy = "name a folder that the server may write to"
            return [f"[server]: spool_dir: {folder}: {why}; {remedy}"]
    return []


class Spool:
    """A queue of bytes in an unlinked file.

    :ivar written: bytes put in so far, which is the file's size.
    :ivar taken: bytes taken out so far.
    :ivar lacks: why `append` did not write everything.
    """

    def __init__(self, folder: str, space: BufferSpace) -> None:
        """:raises OSError: no such file can be made."""
        self._space = space
        self._descriptor = open_unlinked(folder)
        self.written = 0
        self.taken = 0
        self.lacks = ""

    @property
    def pending(self) -> int:
        """Bytes that are still to be taken."""
        return self.written - self.taken

    def append(self, data: bytes | memoryview) -> int:
        """Put *data* behind what is there.

        :returns: how many bytes were written; fewer than all when `max_spool`
            is reached, or the disk is full or fails.
        """
        granted = self._space.claim_spool(len(data))
        view = memoryview(data)[:granted]
        if granted < len(data):
            self.lacks = "max_spool is reached"
        done = 0
        try:
            while done < granted:
                done += os.pwrite(self._descriptor, view[done:], self.written + done)
        except OSError as error:
            self.lacks = str(error)
            self._space.spooled -= granted - done
        self.written += done
        return done

    def take(self, size: int) -> bytes:
        """The next bytes, at most *size*.

        :raises OSError: the file can't be read.
        """
        data = os.pread(self._descriptor, min(size, self.pending), self.taken)
        if not data and self.pending:
            raise OSError("the spool file has become shorter")
        self.taken += len(data)
        return data

    def detach(self) -> int:
        """A descriptor for reading; from now on it is the caller's duty to close
        it, and then to take its bytes from `BufferSpace.spooled`.

        It goes to a worker, and an app must not be able to fill our disk with
        a file that has no name and is ours.

        :raises OSError: out of descriptors.
        """
        path = f"/proc/self/fd/{self._descriptor}"
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        os.close(self._descriptor)
        self._descriptor = -1
        return descriptor

    def close(self) -> None:
        """Give the file back; harmless when that was done."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._space.spooled -= self.written
