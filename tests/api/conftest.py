"""Fixtures for the tests of settings and plugins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from passtwist.api.plugin_sources import Source
from passtwist.api.settings import Settings, load_file
from passtwist.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Settings from the text of a file, in an empty environment."""

    def load(text: str, **options: object) -> Settings:
        (tmp_path / "passtwist.toml").write_text(text)
        options.setdefault("environ", {"HOME": "/users/ann"})
        return load_file(str(tmp_path / "passtwist.toml"), **options)

    return load


@pytest.fixture
def problems(load: Load) -> Callable[..., list[str]]:
    """The problems that settings from the text of a file have."""

    def problems(text: str, **options: object) -> list[str]:
        with pytest.raises(SettingsError) as caught:
            load(text, **options)
        return caught.value.problems

    return problems


@pytest.fixture
def source() -> Callable[..., Source]:
    """A source of a plugin that is already there."""

    def source(name: str, plugin: object, origin: str = "") -> Source:
        return Source(name, origin or f"{name}-dist 1.0", lambda: plugin)

    return source
