"""Takes the text of a Python traceback apart.

Runs in: the controller.  Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_FRAME = re.compile(
    r'  File "(?P<file>.+)", line (?P<line>[0-9]+)(?:, in (?P<function>.+))?'
)


@dataclass
class Frame:
    """One frame.

    :ivar function: "" for a line that could not be parsed.
    :ivar code: the line, and marks below it, as printed.
    """

    file: str
    line: str
    function: str
    code: str = ""


def parts(text: str) -> list[Frame | str]:
    """Frames, and the text between them: headings, causes, errors.

    Anything that is no traceback is text.
    """
    found: list[Frame | str] = []
    for line in text.splitlines():
        match = _FRAME.fullmatch(line)
        last = found[-1] if found else None
        if match:
            found.append(Frame(match["file"], match["line"], match["function"] or ""))
        elif isinstance(last, Frame) and line.startswith("    "):
            last.code += line + "\n"
        elif isinstance(last, str):
            found[-1] = last + "\n" + line
        else:
            found.append(line)
    return found
