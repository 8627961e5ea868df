"""What a framework plugin may look at, and what it answers.

Runs in: the controller, maybe as root, so it only lists names and searches
the first 64 KiB of regular files beneath the app's root; no link is followed
while opening, nothing is parsed, imported or echoed (DESIGN section 2, rule 6).
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_SEARCH = 64 * 1024
MAX_NAMES = 10_000


@dataclass(frozen=True)
class Detection:
    """An app was recognised.

    :ivar entry: see `passtwist.model.AppSpec.entry`.
    :ivar startup_file: the file that told, relative to the root.
    :ivar reasons: what was seen, one short sentence each, for `explain`.
    :ivar options: what the child half needs to know.
    """

    entry: str
    startup_file: str
    reasons: tuple[str, ...]
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Ownership:
    """Whose a file is: of a link, not of what it leads to."""

    uid: int
    gid: int


class AppFiles:
    """A bounded, read-only view of the files beneath an app's root.

    :param root: absolute folder of the app.  The root itself may be a link
        (deployments swap a ``current`` link); nothing beneath it is followed.
    """

    def __init__(self, root: str) -> None:
        self.root = root

    def names(self, folder: str = "") -> tuple[str, ...]:
        """Sorted names in *folder* (relative to the root), at most 10,000.

        Empty when it is no folder or can't be read.
        """
        descriptor = self._open(folder, os.O_DIRECTORY) if folder else self._open_root()
        if descriptor is None:
            return ()
        try:
            return tuple(sorted(os.listdir(descriptor))[:MAX_NAMES])
        except OSError:
            return ()
        finally:
            os.close(descriptor)

    def is_file(self, path: str) -> bool:
        """True for a regular file, reached without following a link."""
        descriptor = self._open(path)
        if descriptor is None:
            return False
        try:
            return stat.S_ISREG(os.fstat(descriptor).st_mode)
        finally:
            os.close(descriptor)

    def is_folder(self, path: str) -> bool:
        """True for a folder, reached without following a link."""
        descriptor = self._open(path, os.O_DIRECTORY)
        if descriptor is None:
            return False
        os.close(descriptor)
        return True

    def contains(self, path: str, *words: str) -> bool:
        """True when the file holds one of *words* in its first 64 KiB.

        A line feed counts as there before the first line, so that a word that
        begins with one finds the beginning of any line.
        """
        descriptor = self._open(path)
        if descriptor is None:
            return False
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return False
            head = b"\n" + os.read(descriptor, MAX_SEARCH)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return any(word.encode() in head for word in words)

    def owner(self, path: str = "") -> Ownership | None:
        """Whose the file is, or the root; None when it is not there.

        The file may be a link, which has an owner of its own; a folder on the way
        to it may not.
        """
        folder, _, name = path.rpartition("/")
        descriptor = self._open(folder, os.O_DIRECTORY) if folder else self._open_root()
        if descriptor is None:
            return None
        try:
            if not name:
                found = os.fstat(descriptor)
            elif name in (".", ".."):
                return None
            else:
                found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except OSError:
            return None
        finally:
            os.close(descriptor)
        return Ownership(found.st_uid, found.st_gid)

    def _open_root(self) -> int | None:
        try:
            return os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return None

    def _open(self, path: str, extra: int = 0) -> int | None:
        """Open *path* step by step; None when a step is missing or a link."""
        descriptor = self._open_root()
        if descriptor is None:
            return None
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if ".." in parts or not parts:
            os.close(descriptor)
            return None
        # O_NONBLOCK: a FIFO in place of the file must not hang the controller.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            try:
                below = os.open(
                    part, flags | (extra if last else os.O_DIRECTORY), dir_fd=descriptor
                )
            except OSError:
                return None
            finally:
                os.close(descriptor)
            descriptor = below
        return descriptor
