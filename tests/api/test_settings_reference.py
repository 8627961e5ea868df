"""The reference page of the settings."""

from __future__ import annotations

from pathlib import Path

from passtwist.api.settings_reference import page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


def test_the_page_is_up_to_date():
    """If not, write it: its second line says how."""
    assert PAGE.read_text() == page()
