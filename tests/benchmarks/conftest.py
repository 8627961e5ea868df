"""What several tests of the benchmarks need."""

from __future__ import annotations

import pytest

from benchmarks.servers.gunicorn import Gunicorn


@pytest.fixture
def with_gunicorn() -> None:
    """Skip, with the remedy, where there is none: `make test` installs no peers."""
    if why := Gunicorn().missing():
        pytest.skip(f"{why}, or make bench-peers")
