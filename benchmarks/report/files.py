"""The files of a run: latest.json, latest.md, and the pictures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.report.page import page
from benchmarks.report.paths import without_paths
from benchmarks.report.pictures import draw
from benchmarks.results import Results, from_dict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.measures.base import Measure

NAME = "latest"


def write(results: Results, measures: Sequence[Measure], folder: Path) -> None:
    """Write all of them.

    Pictures that this run has no figures for stay as they are: the documentation
    shows them, and each says of which run it is.  The page shows only its own.

    :raises ImportError: matplotlib is not installed; the figures are written.
    """
    results = without_paths(results)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results.as_dict(), indent=1, ensure_ascii=False)
    (folder / f"{NAME}.json").write_text(text + "\n")
    (folder / f"{NAME}.md").write_text(page(results, measures, {}))
    pictures = draw(results, measures, folder)
    (folder / f"{NAME}.md").write_text(page(results, measures, pictures))


def read(path: Path) -> Results:
    """What `write` wrote.

    :raises ValueError: it is no such file; OSError: it can't be read.
    """
    try:
        return from_dict(json.loads(path.read_text()))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no results of a benchmark: {error!r}") from error
