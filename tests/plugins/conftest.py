"""Fixtures for the tests of the built-in plugins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from passtwist.api.detection import AppFiles

if TYPE_CHECKING:
    from pathlib import Path

Make = Callable[[dict[str, str]], AppFiles]


@pytest.fixture
def site(tmp_path: Path) -> Make:
    """Make a folder with files, path to text, and a view of it."""

    def site(files: dict[str, str]) -> AppFiles:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return AppFiles(str(tmp_path))

    return site
