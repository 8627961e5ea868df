"""Opens files of apps so that nothing but a regular file beneath a folder is opened.

Runs in: the controller, in root mode as root.

Step by step from the folder down, each step relative to the one before and none
through a symbolic link: whatever is renamed or swapped meanwhile, a walk ends beneath
the folder or nowhere.  (openat2 would do it in one call, but Linux has it since 5.6
only, and Python has no name for it.)  Opening a FIFO, a terminal or a file under a
lease does not wait, and none of the first two is read.

Root may read everything, an app's user may not.  So a server that is root sends only
what everybody may read, or what belongs to the app's user; the same holds for the
folders on the way.
"""

from __future__ import annotations

import errno
import os
import resource
import stat
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from passtwist.http.files.paths import Folder

_BASE = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FOLDER = _BASE | os.O_NOFOLLOW | os.O_NONBLOCK
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_NOT_THERE = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ENXIO))
_SHORT_OF = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN))
# Clients that read slowly hold a file each.  The last descriptors are for workers: one
# that can't be connected to counts as dead.
_RESERVED_PART = 16
_RESERVED_LEAST = 16


class NoFile(Exception):
    """There is nothing to be sent.

    :ivar status: for the client.
    :ivar reason: for the log; "" when it is nobody's fault.
    """

    def __init__(self, reason: str = "", status: int = 404) -> None:
        self.reason = reason
        self.status = status
        super().__init__(reason)


class OpenFile(NamedTuple):
    """An open regular file; whoever has it closes *descriptor*.

    :ivar modified: nanoseconds since the epoch.
    """

    descriptor: int
    size: int
    modified: int


class Readers:
    """Whose files a server that is root may send for an app.

    :param root: of the app; its owner counts when no user is given.
    :param uid: of the user that the app is configured for, or None.
    """

    __slots__ = ("_root", "_uid")

    def __init__(self, root: str, uid: int | None) -> None:
        self._root = root
        self._uid = uid

    def owner(self) -> int | None:
        """The uid whose private files may be sent.

        :returns: None when the kernel decides: this process is not root.
        :raises OSError: the app's root is not there.
        """
        if os.geteuid() != 0:
            return None
        if self._uid is not None:
            return self._uid
        # Of a link, not of what it leads to: anybody can make one to another's
        # folder.  One of root's is the operator's.
        return os.lstat(self._root).st_uid or os.stat(self._root).st_uid


class OpenFolder:
    """The folder that a file lies in, open; a context."""

    __slots__ = ("_descriptor", "_owner")

    def __init__(
        self, folder: Folder, names: Sequence[bytes], readers: Readers
    ) -> None:
        """
        :param names: of the folders below *folder*.
        :raises NoFile: it can't be reached.
        """
        name: bytes = b""
        descriptor = -1
        try:
            self._owner = readers.owner()
            descriptor = os.open(folder.base, _BASE)
            for name in (*folder.names, *names):
                below = os.open(name, _FOLDER, dir_fd=descriptor)
                above, descriptor = descriptor, below
                os.close(above)
                if self._owner is not None:
                    _check(os.fstat(descriptor), self._owner, stat.S_IXOTH)
        except OSError as error:
            found = _explain(error, name, descriptor)
            if descriptor >= 0:
                os.close(descriptor)
            raise found from error
        except NoFile:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def __enter__(self) -> OpenFolder:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def open(self, name: bytes) -> OpenFile:
        """Open the regular file *name* in it.

        :raises NoFile: there is none, or none that may be sent.
        """
        try:
            descriptor = os.open(name, _FILE, dir_fd=self._descriptor)
        except OSError as error:
            raise _explain(error, name, self._descriptor) from error
        try:
            found = os.fstat(descriptor)
            if stat.S_ISDIR(found.st_mode):
                raise NoFile
            if not stat.S_ISREG(found.st_mode):
                raise NoFile("it is neither a file nor a folder")
            if self._owner is not None:
                _check(found, self._owner, stat.S_IROTH)
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            # The kernel gives the lowest number: all below are in use.
            if descriptor >= limit - max(limit // _RESERVED_PART, _RESERVED_LEAST):
                raise NoFile(f"of {limit} descriptors few are left", 503)
        except BaseException:
            os.close(descriptor)
            raise
        return OpenFile(descriptor, found.st_size, found.st_mtime_ns)


def _check(found: os.stat_result, owner: int, bit: int) -> None:
    """May the user of an app that *owner* has get at it?

    Root's own files need to be open for everybody: a hard link to one of them can
    lie anywhere.
    """
    if not (found.st_mode & bit or (found.st_uid == owner and owner != 0)):
        what = "folder on the way" if stat.S_ISDIR(found.st_mode) else "file"
        raise NoFile(
            f"a {what} is neither the app's user's (uid {owner}) nor open for "
            "everybody, and the server is root; chown or chmod it"
        )


def _explain(error: OSError, name: bytes, above: int) -> NoFile:
    """Why *name* can't be opened in the folder *above*."""
    number = error.errno
    if number in (errno.ELOOP, errno.ENOTDIR) and above >= 0 and _is_link(name, above):
        return NoFile("a symbolic link is on the way, and links are not followed")
    if number in _NOT_THERE:
        return NoFile()
    if number in _SHORT_OF:
        return NoFile(f"no file can be opened now: {error.strerror}", 503)
    if number in (errno.EACCES, errno.EPERM):
        return NoFile("the server's user may not read it")
    return NoFile(f"the file can't be opened: {error.strerror}", 500)


def _is_link(name: bytes, above: int) -> bool:
    try:
        found = os.stat(name, dir_fd=above, follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISLNK(found.st_mode)
