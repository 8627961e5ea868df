"""Places in code: the file and line of an app that a stack leads to.

Runs in: app spawners, while their app is loaded.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from types import FrameType
from typing import Dict, List, Optional, Tuple

_OURS = 0  # ours, the standard library's, or nobody's file
_LIBRARY = 1
_APP = 2

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_OUR_CODE = (_PACKAGE + "/", os.path.dirname(_PACKAGE) + "/bootstrap.py")
_STANDARD = os.path.dirname(os.__file__) + "/"
_SITES = ("/site-packages/", "/dist-packages/")


@dataclass(frozen=True)
class Place:
    """Where something was made.

    :ivar text: ``FILE:LINE`` of the app; behind it, after ", through ", that of
        a library that the app called.  "" when unknown.
    :ivar modules: names of the modules on the way, the innermost first.
    """

    text: str = ""
    modules: Tuple[str, ...] = ()


NOWHERE = Place()


class Places:
    """Finds the place of the calling code.

    :param root: folder of the app.
    """

    def __init__(self, root: str) -> None:
        self._root = root.rstrip("/") + "/"
        self._kinds: Dict[str, int] = {}

    def here(self) -> Place:
        """Of whoever called what is running now."""
        frame: Optional[FrameType] = sys._getframe(1)
        modules: List[str] = []
        through = ""
        while frame is not None:
            file = frame.f_code.co_filename
            kind = self._kinds.get(file)
            if kind is None:
                kind = self._kinds[file] = self._kind(file)
            if not file.startswith((*_OUR_CODE, "<frozen")):
                modules.append(str(frame.f_globals.get("__name__", "")))
            if kind == _APP:
                return Place(_join(file, frame.f_lineno, through), tuple(modules))
            if kind == _LIBRARY and not through:
                through = "%s:%d" % (file, frame.f_lineno)
            frame = frame.f_back
        return Place(through, tuple(modules))

    def _kind(self, file: str) -> int:
        if file.startswith(("<", *_OUR_CODE)):
            return _OURS
        if is_standard(file):
            return _OURS
        if file.startswith(self._root) and not _is_installed(file):
            return _APP
        # Installed, a framework's child half, or where an editable install leads.
        return _LIBRARY


def is_standard(file: str) -> bool:
    """Whether it is one of the standard library's."""
    return file.startswith(_STANDARD) and not _is_installed(file)


def _is_installed(file: str) -> bool:
    return any(site in file for site in _SITES)


def _join(file: str, line: int, through: str) -> str:
    place = "%s:%d" % (file, line)
    if not through:
        return place
    for site in _SITES:
        through = through.rpartition(site)[2]
    return "%s, through %s" % (place, through)
