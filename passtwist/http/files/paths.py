"""Paths of URLs that may name a file, and where they are to be looked for.

Runs in: the controller.  Pure.

A path was percent-decoded once, when the request line was read; it is not decoded
again.  What could lead anywhere but down is not resolved but refused: dot segments,
empty ones and backslashes; so are control characters and all names that begin with
a dot, but for ``/.well-known/``, which exists to be asked for.
"""

from __future__ import annotations

import os
import re

_search_refused = re.compile(
    rb"[\x00-\x1f\x7f\\]|//|(?<=[\s\S])/\.|\A/\.(?!well-known/)"
).search
_search_climbing = re.compile(rb"[\x00-\x1f\x7f]|(?:\A|/)\.{0,2}/|/\.{1,2}\Z").search


def names_of(path: bytes) -> list[bytes] | None:
    """The names of folders and file in *path*, which begins with a slash.

    The last one is b"" when the path ends with a slash.

    :returns: None when no file may be asked for by such a path.
    """
    if not path.startswith(b"/") or _search_refused(path):
        return None
    return path[1:].split(b"/")


def names_below(path: bytes) -> list[bytes] | None:
    """The names in a path relative to a folder, of a file that an app names.

    An app may name what a client may not: names that begin with a dot.

    :returns: None when it could lead out of the folder, or names none.
    """
    if not path or path.startswith(b"/") or path in (b".", b".."):
        return None
    if _search_climbing(path) or path.endswith(b"/"):
        return None
    return path.split(b"/")


class Folder:
    """A folder with files that may be sent, as the settings name it.

    :ivar base: is opened wherever links in it lead: it is the operator's.
    :ivar names: of the folders below it; none of them may be a link.
    :ivar prefix: what paths on this machine begin with that lie in it.
    """

    __slots__ = ("_root", "base", "inside", "names", "prefix")

    def __init__(self, root: str, folder: str) -> None:
        """
        :param root: of the app, absolute.
        :param folder: relative to it, or absolute.
        """
        self._root = root
        whole = os.path.normpath(os.path.join(root, folder))
        inside = os.path.relpath(whole, root)
        self.inside = not (inside == ".." or inside.startswith("../"))
        # A folder elsewhere is not the app's, and neither are the links on the way
        # there: it is named as it is.
        self.base = root if self.inside else "/"
        names = inside if self.inside else whole.lstrip("/")
        self.names = [os.fsencode(name) for name in names.split("/") if name != "."]
        self.prefix = os.fsencode(whole).rstrip(b"/") + b"/"

    def names_in(self, path: bytes) -> list[bytes] | None:
        """The names of *path*, an absolute one, below this folder.

        What the app's root is a link to counts as the root: its processes see only
        that.

        :returns: None when it lies elsewhere.
        """
        if path.startswith(self.prefix):
            return names_below(path[len(self.prefix) :])
        if self.inside:
            real = os.fsencode(os.path.realpath(self._root))
            prefix = b"/".join((real, *self.names)) + b"/"
            if path.startswith(prefix):
                return names_below(path[len(prefix) :])
        return None
