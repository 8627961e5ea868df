"""Where a spawn failed: the interpreter, the environment, the line of the app.

Runs in: every process of the spawn server, and workers until they serve.
"""

from __future__ import annotations

import linecache
import os
import sys
from typing import Iterator, List, NamedTuple, Optional, Set, Tuple

from passtwist.masking import mask_secrets, masked_environment
from passtwist.model import Scene

# Lines of the app shown before and after the one that failed.
AROUND = 4
MAX_LINE = 160

_STANDARD = os.path.dirname(os.__file__) + "/"
_SITES = ("/site-packages/", "/dist-packages/")


class Frame(NamedTuple):
    """One frame of a traceback."""

    file: str
    line: int
    function: str


def of_error(error: BaseException, code: str) -> Scene:
    """The scene of *error*, which this process has raised.

    :param code: RUNTIME_DIR/code: frames in there are ours.
    """
    frames = own_frames(error, code)
    # The innermost: the place to begin to look.
    place = frames[-1] if frames else None
    return Scene(
        python=sys.executable or "",
        version="%d.%d.%d" % sys.version_info[:3],
        prefix="" if sys.prefix == sys.base_prefix else sys.prefix,
        user="uid %d" % os.geteuid(),
        folder=here(),
        path=tuple(str(each) for each in sys.path),
        environ=tuple("%s=%s" % pair for pair in masked_environment(os.environ)),
        place="%s:%d" % (place.file, place.line) if place else "",
        excerpt=excerpt(place) if place else "",
        own_files=tuple(sorted({frame.file for frame in _all_own(error, code)})),
    )


def here() -> str:
    """The working directory."""
    try:
        return os.getcwd()
    except OSError:
        return "a folder that is gone"


def own_frames(error: BaseException, code: str) -> List[Frame]:
    """The frames of *error* in the app's own code, the outermost first.

    A line that can't be parsed is the last of them, although it was not run.
    """
    return [frame for frame in frames_of(error) if is_own(frame.file, code)]


def frames_of(error: BaseException) -> List[Frame]:
    """All frames of *error*, the outermost first."""
    found = []
    trace = error.__traceback__
    while trace is not None:
        called = trace.tb_frame.f_code
        found.append(Frame(called.co_filename, trace.tb_lineno, called.co_name))
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename:
        found.append(Frame(error.filename, error.lineno or 0, ""))
    return found


def is_own(file: str, code: str) -> bool:
    """Whether it is the app's: not the standard library's, a package's or ours."""
    if file.startswith(("<", code + "/")) or any(site in file for site in _SITES):
        return False
    return not file.startswith(_STANDARD)


def excerpt(place: Frame) -> str:
    """The lines around *place*, without secrets; "" when they can't be read."""
    linecache.checkcache(place.file)
    lines = linecache.getlines(place.file)
    if not 1 <= place.line <= len(lines):
        return ""
    first = max(1, place.line - AROUND)
    last = min(len(lines), place.line + AROUND)
    shown = [
        "%s %*d  %s"
        % (
            ">" if number == place.line else " ",
            len(str(last)),
            number,
            lines[number - 1].rstrip()[:MAX_LINE],
        )
        for number in range(first, last + 1)
    ]
    return mask_secrets("\n".join(shown))


def _all_own(error: BaseException, code: str) -> Iterator[Frame]:
    """Those of its causes as well."""
    waiting: List[Optional[BaseException]] = [error]
    seen: Set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield from own_frames(one, code)
        causes: Tuple[Optional[BaseException], ...] = (one.__cause__, one.__context__)
        waiting.extend(causes)
