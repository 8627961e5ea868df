"""Take the paths of this machine out of what is published."""

from __future__ import annotations

import re
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.results import Results

ROOT = Path(__file__).resolve().parent.parent.parent


def places() -> dict[str, str]:
    """What stands for a folder, the longest first, so that the innermost wins."""
    known = {
        f"{Path(sys.executable).parent}/": "",
        f"{ROOT}/": "",
        str(ROOT): ".",
        sys.prefix: "PYTHON",
        sys.base_prefix: "PYTHON",
        str(Path.home()): "HOME",
    }
    folders = sorted(known, key=len, reverse=True)
    # Where home is "/" nothing would be left of any path.
    return {folder: known[folder] for folder in folders if len(folder) > 1}


SCRATCH = re.compile(re.escape(tempfile.gettempdir()) + r"/ptwb-[\w-]+")


def shortened(text: str) -> str:
    """Without folders that exist here only."""
    text = SCRATCH.sub("SCRATCH", text)
    for folder, name in places().items():
        text = text.replace(folder, name)
    return text


def without_paths(results: Results) -> Results:
    """The same, with all its texts shortened."""
    return replace(
        results,
        commands=_shortened(results.commands),
        notes=_shortened(results.notes),
        absences=[
            replace(one, reason=shortened(one.reason)) for one in results.absences
        ],
    )


def _shortened(texts: dict[str, str]) -> dict[str, str]:
    return {name: shortened(text) for name, text in texts.items()}
