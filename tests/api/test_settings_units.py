"""Durations and sizes, as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passtwist.api.settings_units import (
    parse_duration,
    parse_size,
    show_duration,
    show_size,
)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30s", 30.0),
        ("250ms", 0.25),
        ("1.5m", 90.0),
        ("1h", 3600.0),
        ("45", 45.0),
        (" 45 s", None),
        (45, 45.0),
        (0.5, 0.5),
        (0, 0.0),
        (-1, None),
        ("-1s", None),
        ("1d", None),
        ("", None),
        ("1e9s", None),
        ("١s", None),
        ("9" * 5000, None),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        (None, None),
    ],
)
def test_a_duration(written, seconds):
    """A number with a unit, or seconds; nothing else."""
    if seconds is None:
        with pytest.raises(ValueError):
            parse_duration(written)
    else:
        assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("128KiB", 128 * 1024),
        ("100MiB", 100 * 1024**2),
        ("1GiB", 1024**3),
        ("12B", 12),
        ("12", 12),
        (12, 12),
        (0, 0),
        ("1.5MiB", None),
        ("5MB", None),
        ("5kib", None),
        (-1, None),
        (1.0, None),
        (False, None),
        ("9" * 5000, None),
    ],
)
def test_a_size(written, size):
    """A whole number with a binary unit, or bytes; nothing else."""
    if size is None:
        with pytest.raises(ValueError):
            parse_size(written)
    else:
        assert parse_size(written) == size


@settings(deadline=None)
@given(st.integers(0, 10**9))
def test_a_shown_size_reads_back(size):
    """Nothing is lost by showing a size."""
    assert parse_size(show_size(size)) == size


@settings(deadline=None)
@given(st.integers(0, 10**9))
def test_a_shown_duration_reads_back(seconds):
    """Nothing is lost by showing whole seconds."""
    assert parse_duration(show_duration(float(seconds))) == seconds
